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
  /// How the experts' sums are ordered; `nil` where nobody relies on an order.
  public let arithmetic: Arithmetic?

  /// Collects views of the same rows.
  public init(
    _ pooled: Tensor, sequence: ((_ rows: [Int]) -> PackedRows)? = nil,
    as arithmetic: Arithmetic? = nil
  ) {
    (self.pooled, self.sequence, self.arithmetic) = (pooled, sequence, arithmetic)
  }
}

/// The one place that decides how experts are run.
///
/// A model is given the choice as a value, so that whoever has another kind of bank, for packed weights or for experts on
/// other ranks, puts it before the library's.
public struct ExpertBanks: Sendable {
  /// Makes a bank of experts if it can run them: those of a layer, in the order of the gate's columns, and the
  /// width of an answer.
  public typealias Candidate =
    @Sendable (_ experts: [any Expert], _ outputs: Int) -> (any ExpertBank)?

  /// Asked one after another; what all of them decline is run by ``SlicedExperts``.
  public var candidates: [Candidate]

  /// Collects candidates, the preferred one first.
  public init(_ candidates: [Candidate]) { self.candidates = candidates }

  /// The library's: the kernels for feed-forward networks, with dense or with packed weights, where they apply.
  public static let standard = ExpertBanks([
    { experts, _ in
      let networks = experts.compactMap { $0 as? FeedForward }
      guard networks.count == experts.count else { return nil }
      return KernelExperts(networks) ?? KernelPackedExperts(networks)
    }
  ])

  /// The first bank that can run some experts.
  ///
  /// - Parameters:
  ///   - experts: At least one, in the order of the gate's columns.
  ///   - outputs: Width of an answer.
  /// - Returns: Their bank.
  public func bank(of experts: [any Expert], outputs: Int) -> any ExpertBank {
    for candidate in candidates {
      if let bank = candidate(experts, outputs) { return bank }
    }
    return SlicedExperts(experts, outputs: outputs)
  }
}
