import MoETensor

/// Selects the `k` largest scores of every row.
enum TopK {
  /// The columns of the `k` largest scores of each row, largest first.
  ///
  /// Equal scores go to the lower column; NaN counts as smaller than everything.
  ///
  /// - Parameters:
  ///   - scores: Shape `[rows, columns]`, f32.
  ///   - k: From 0 to `columns`.
  /// - Returns: `columns[row · k + place]`.
  /// - Complexity: O(rows × columns × `k`), without allocation per row.
  static func columns(of scores: Tensor, k: Int) -> [Int] {
    let (rows, columns) = (scores.size(0), scores.size(1))
    require(k >= 0 && k <= columns, "the \(k) largest of \(columns) scores")
    var result = [Int](repeating: 0, count: rows * k)
    guard k > 0 else { return result }
    scores.withSpan(of: Float.self) { span in
      var best = [Float](repeating: 0, count: k)
      for row in 0..<rows {
        var filled = 0
        for column in 0..<columns {
          let raw = span[row * columns + column]
          let score = raw.isNaN ? -Float.infinity : raw
          guard filled < k || score > best[k - 1] else { continue }
          var place = filled < k ? filled : k - 1
          // A new score moves only before strictly smaller ones, so ties keep their order.
          while place > 0, best[place - 1] < score {
            best[place] = best[place - 1]
            result[row * k + place] = result[row * k + place - 1]
            place -= 1
          }
          best[place] = score
          result[row * k + place] = column
          filled = min(filled + 1, k)
        }
      }
    }
    return result
  }
}
