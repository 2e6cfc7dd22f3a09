public import MoETensor

/// The rows of several sequences, one sequence after another, without padding.
public struct PackedRows {
  /// Shape `[Σ lengths, width]`.
  public let rows: Tensor
  /// Rows of each sequence, at least 1 each.
  public let lengths: [Int]

  /// Wraps rows.
  ///
  /// - Precondition: The lengths are at least 1 and add up to the number of rows.
  public init(rows: Tensor, lengths: [Int]) {
    precondition(
      lengths.allSatisfy { $0 >= 1 } && lengths.reduce(0, +) == rows.size(0),
      "sequences of \(lengths.prefix(8)) rows in \(rows.shape)")
    (self.rows, self.lengths) = (rows, lengths)
  }

  /// First row of each sequence.
  public var starts: [Int] { Self.starts(of: lengths) }

  /// The starts of sequences of these lengths.
  static func starts(of lengths: [Int]) -> [Int] {
    var next = 0
    return lengths.map { length in
      defer { next += length }
      return next
    }
  }

  /// Some of the sequences, in the given order.
  public func selecting(_ sequences: [Int]) -> PackedRows {
    if sequences.elementsEqual(lengths.indices) { return self }
    let starts = self.starts
    let places = sequences.flatMap { starts[$0]..<starts[$0] + lengths[$0] }
    return PackedRows(
      rows: rows.selecting(Tensor(places).moved(to: rows.device)),
      lengths: sequences.map { lengths[$0] })
  }
}
