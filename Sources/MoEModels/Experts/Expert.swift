public import MoETensor

/// A network that works on some of a layer's rows.
///
/// An expert declares what it reads of a row, so that experts of different kinds can stand under one gate.
public protocol Expert {
  /// What it reads.
  var view: InputView { get }

  /// Answers for rows.
  ///
  /// - Parameter input: The rows, in this expert's view.
  /// - Returns: Shape `[rows, outputs]`.
  func callAsFunction(_ input: ExpertInput) -> Tensor
}

/// The rows that an expert works on, in the view that it reads.
public enum ExpertInput {
  /// One vector per row, `[rows, width]`.
  case pooled(Tensor)
  /// A vector per position of every row.
  case sequence(PackedRows)
}
