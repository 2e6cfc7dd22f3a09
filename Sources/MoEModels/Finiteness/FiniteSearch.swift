import MoECore
import MoETensor

/// Looks for the first part of a model whose results are not finite, while the model computes once more.
struct FiniteSearch {
  /// What was found, if anything.
  private(set) var found: (place: String, row: Int, weights: String)?

  /// Looks at the results of a part, unless an earlier part was found.
  ///
  /// - Parameters:
  ///   - x: The results, row by row.
  ///   - rows: Number of rows: tokens or images.
  ///   - place: The part's name in messages.
  ///   - weights: Prefix of the names of the part's weights.
  mutating func look(at x: Tensor, rows: Int, _ place: String, weights: String) {
    guard found == nil, !x.isAllFinite else { return }
    let isGood = x.reshaped([rows, -1]).isFinite().cast(to: .i64).min(axis: 1)
    found = (place, isGood.array(of: Int.self).firstIndex(of: 0) ?? 0, weights)
  }

  /// The error to throw.
  ///
  /// - Parameters:
  ///   - parameters: The model's weights, of which those of the part are looked at.
  ///   - start: The position of the first row.
  ///   - unit: What rows are.
  ///   - dtype: The type in which the model computed.
  /// - Returns: The error, without a place if none was found.
  func error(
    _ parameters: [NamedParameter], from start: Int = 0, unit: NonFiniteScores.Unit = .token,
    dtype: DType
  ) -> NonFiniteScores {
    let bad = found.flatMap { found in
      parameters.first {
        $0.name.hasPrefix(found.weights) && !$0.parameter.value.isAllFinite
      }
    }
    return NonFiniteScores(
      place: found?.place, position: found.map { start + $0.row }, unit: unit, weight: bad?.name,
      dtype: dtype)
  }
}
