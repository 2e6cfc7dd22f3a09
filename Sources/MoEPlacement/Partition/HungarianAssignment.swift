/// Matches rows with columns one to one with the largest sum of values.
///
/// Uses shortest augmenting paths with potentials, as Jonker and Volgenant do.
///
/// - SeeAlso: Jonker and Volgenant 1987, *A Shortest Augmenting Path Algorithm for Dense and Sparse
///   Linear Assignment Problems*, [doi:10.1007/BF02278710](https://doi.org/10.1007/BF02278710).
enum HungarianAssignment {
  /// The column of each row, and the sum.
  ///
  /// - Complexity: O(size³).
  static func best(_ values: [Double], size: Int) -> (columns: [Int], total: Double) {
    var (rowPrice, columnPrice) = (
      [Double](repeating: 0, count: size + 1), [Double](repeating: 0, count: size + 1)
    )
    // Row and column 0 stand for "none"; the real ones count from 1.
    var rowOfColumn = [Int](repeating: 0, count: size + 1)
    var previous = [Int](repeating: 0, count: size + 1)
    for row in 1...max(1, size) where size > 0 {
      rowOfColumn[0] = row
      var column = 0
      var slack = [Double](repeating: .infinity, count: size + 1)
      var isUsed = [Bool](repeating: false, count: size + 1)
      repeat {
        isUsed[column] = true
        let current = rowOfColumn[column]
        var (step, next) = (Double.infinity, 0)
        for candidate in 1...size where !isUsed[candidate] {
          let reduced =
            -values[(current - 1) * size + candidate - 1] - rowPrice[current]
            - columnPrice[candidate]
          if reduced < slack[candidate] {
            (slack[candidate], previous[candidate]) = (reduced, column)
          }
          if slack[candidate] < step { (step, next) = (slack[candidate], candidate) }
        }
        for candidate in 0...size {
          if isUsed[candidate] {
            rowPrice[rowOfColumn[candidate]] += step
            columnPrice[candidate] -= step
          } else {
            slack[candidate] -= step
          }
        }
        column = next
      } while rowOfColumn[column] != 0
      while column != 0 {
        let before = previous[column]
        rowOfColumn[column] = rowOfColumn[before]
        column = before
      }
    }
    var columns = [Int](repeating: 0, count: size)
    for column in 1..<size + 1 { columns[rowOfColumn[column] - 1] = column - 1 }
    let total = columns.enumerated().reduce(0.0) { $0 + values[$1.offset * size + $1.element] }
    return (columns, total)
  }
}
