public import MoERouting
public import MoETensor

/// The experts of a layer: owns them, wherever and however their weights are stored, and runs them.
///
/// A layer decides who works on what; its bank does the work. Versions are siblings that give the same answers:
/// ``SlicedExperts`` is the plain definition, and others differ in speed, or in where weights are.
public protocol ExpertBank {
  /// Number of experts.
  var count: Int { get }

  /// Runs every expert on its rows and adds up the weighted answers.
  ///
  /// - Parameters:
  ///   - rows: What the experts read.
  ///   - dispatch: Who works on what; of as many experts as the bank has, and as many rows.
  /// - Returns: Shape `[rows, outputs]`; zeros for rows without an expert. Gradients flow to the rows, to the
  ///   factors of the dispatch and to the weights of experts that have rows.
  func run(_ rows: ExpertRows, _ dispatch: Dispatch) -> Tensor
}

/// The rows that a layer's experts work on, in every view that one of them reads.
public struct ExpertRows {
  /// One vector per row, `[rows, width]`.
  public let pooled: Tensor
  /// Makes the vectors of all positions of some rows, for experts that read them.
  public let sequence: ((_ rows: [Int]) -> PackedRows)?

  /// Collects views of the same rows.
  public init(_ pooled: Tensor, sequence: ((_ rows: [Int]) -> PackedRows)? = nil) {
    (self.pooled, self.sequence) = (pooled, sequence)
  }
}

/// The one place that decides how experts are run.
public enum ExpertBanks {
  /// The fastest version that can run some experts here.
  ///
  /// - Parameters:
  ///   - experts: At least one, in the order of the gate's columns.
  ///   - outputs: Numbers of an answer.
  /// - Returns: Their bank.
  public static func bank(of experts: [any Expert], outputs: Int) -> any ExpertBank {
    let networks = experts.compactMap { $0 as? FeedForward }
    if networks.count == experts.count, let kernel = KernelExperts(networks) { return kernel }
    return SlicedExperts(experts, outputs: outputs)
  }
}
