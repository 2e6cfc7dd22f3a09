public import MoERouting
public import MoETensor

/// Owns the experts of a layer, wherever and however their weights are stored, and runs them.
///
/// A layer decides which expert processes which rows; its bank does the work. All implementations
/// give the same results: ``SlicedExperts`` is the plain definition, others differ in speed or in
/// where weights are stored.
public protocol ExpertBank {
  /// Number of experts.
  var count: Int { get }

  /// Runs every expert on its rows and sums the weighted outputs.
  ///
  /// - Parameters:
  ///   - rows: The experts' inputs.
  ///   - dispatch: The assignment, for the bank's number of experts and the number of rows.
  /// - Returns: Shape `[rows, outputs]`; zeros for rows without an expert. Gradients flow to the
  ///   rows, to the factors of the dispatch and to the weights of experts that have rows.
  func run(_ rows: ExpertRows, _ dispatch: Dispatch) -> Tensor
}

/// The rows that a layer's experts process, in every view that one of them reads.
public struct ExpertRows {
  /// One vector per row, `[rows, width]`.
  public let pooled: Tensor
  /// Computes the vectors of all positions of some rows, for experts that read them.
  public let sequence: ((_ rows: [Int]) -> PackedRows)?

  /// Collects views of the same rows.
  public init(_ pooled: Tensor, sequence: ((_ rows: [Int]) -> PackedRows)? = nil) {
    (self.pooled, self.sequence) = (pooled, sequence)
  }
}

/// The one place that decides how experts are run.
public enum ExpertBanks {
  /// The fastest implementation that can run some experts on this machine.
  ///
  /// - Parameters:
  ///   - experts: At least one, in the order of the gate's columns.
  ///   - outputs: Output width.
  /// - Returns: Their bank.
  public static func bank(of experts: [any Expert], outputs: Int) -> any ExpertBank {
    let networks = experts.compactMap { $0 as? FeedForward }
    if networks.count == experts.count, let kernel = KernelExperts(networks) { return kernel }
    return SlicedExperts(experts, outputs: outputs)
  }
}
