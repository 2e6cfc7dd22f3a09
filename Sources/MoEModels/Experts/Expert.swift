public import MoETensor

/// A network that processes some of a layer's rows.
///
/// An expert declares which view of a row it reads, so that experts of different kinds can share a
/// gate.
public protocol Expert {
  /// The view that it reads.
  var view: InputView { get }

  /// Computes the outputs for rows.
  ///
  /// - Parameters:
  ///   - input: The rows, in this expert's view.
  ///   - arithmetic: How sums are ordered; `nil` where nobody relies on an order.
  /// - Returns: Shape `[rows, outputs]`.
  func callAsFunction(_ input: ExpertInput, as arithmetic: Arithmetic?) -> Tensor
}

/// The rows that an expert processes, in the view that it reads.
public enum ExpertInput {
  /// One vector per row, `[rows, width]`.
  case pooled(Tensor)
  /// A vector per position of every row.
  case sequence(PackedRows)
}
