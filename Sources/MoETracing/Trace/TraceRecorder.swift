public import MoECore
public import SystemPackage

/// Records the choices of a model's routers in a trace, pass by pass, with bounded memory.
///
/// By default every sequence of every pass is a sequence of the trace. For a text that is read or
/// generated in several passes, call ``beginSequence(source:promptLength:)``.
public final class TraceRecorder: RoutingObserver {
  /// Whether weights are recorded.
  public let wantsWeights: Bool
  /// The number of tokens recorded so far.
  public var tokenCount: Int { writer?.tokenCount ?? 0 }

  private let path: FilePath
  private let model: String?
  private let source: String?
  private let sources: [String]
  private var writer: RoutingTraceWriter?
  private var reports: [RoutingReport] = []
  private var tokens: [Int32] = []
  private var lengths: [Int] = []
  private var pending: (source: Int?, promptLength: Int?)?
  private var isContinuing = false
  private var failure: (any Error)?

  /// Prepares to record; ``finish()`` creates the file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - model: Name of the model.
  ///   - source: A description of the text's origin.
  ///   - sources: The names of texts that sequences may come from.
  ///   - weights: Whether to record weights.
  public init(
    _ path: FilePath, model: String? = nil, source: String? = nil, sources: [String] = [],
    weights: Bool = false
  ) {
    (self.path, self.model, self.source, self.sources) = (path, model, source, sources)
    wantsWeights = weights
  }

  /// Begins a sequence with the next token, which later passes continue.
  ///
  /// - Parameters:
  ///   - source: The index of its text in the recorder's sources.
  ///   - promptLength: The number of leading tokens that are not generated.
  public func beginSequence(source: Int? = nil, promptLength: Int? = nil) {
    pending = (source, promptLength)
    isContinuing = true
  }

  /// Called when a forward pass begins.
  public func beginPass(tokens: [Int32], sequenceLengths: [Int]) {
    (self.tokens, lengths) = (tokens, sequenceLengths)
    reports.removeAll(keepingCapacity: true)
  }

  /// Called after a sparse layer has chosen its experts.
  public func observe(_ report: RoutingReport) { reports.append(report) }

  /// Called after all layers have been reported; ``finish()`` throws write errors.
  public func endPass() {
    guard failure == nil, !reports.isEmpty else { return }
    do { try append() } catch { failure = error }
  }

  private func append() throws {
    let writer = try self.writer ?? makeWriter()
    self.writer = writer
    let header = writer.header
    guard reports.map(\.layer) == header.layers, reports.allSatisfy({ $0.k <= header.k }) else {
      throw TracingError.invalidRequest("the model's layers changed while it was recorded")
    }
    let width = header.choicesPerToken
    var experts = [UInt16](repeating: RoutingTraceHeader.unusedSlot, count: tokens.count * width)
    var weights = wantsWeights ? [Float16](repeating: 0, count: experts.count) : nil
    for (column, report) in reports.enumerated() {
      for token in tokens.indices {
        let place = token * width + column * header.k
        for slot in 0..<report.k {
          let choice = report.experts[token * report.k + slot]
          guard choice >= 0 else { continue }
          experts[place + slot] = UInt16(choice)
          if let weight = report.weights?[token * report.k + slot] {
            weights?[place + slot] = Float16(weight)
          }
        }
      }
    }
    if isContinuing {
      if let pending {
        writer.beginSequence(source: pending.source, promptLength: pending.promptLength)
      }
      pending = nil
      try writer.append(experts: experts, weights: weights, tokens: tokens)
      return
    }
    var start = 0
    for length in lengths {
      writer.beginSequence()
      let (choices, range) = (start * width..<(start + length) * width, start..<start + length)
      try writer.append(
        experts: Array(experts[choices]), weights: weights.map { Array($0[choices]) },
        tokens: Array(tokens[range]))
      start += length
    }
  }

  private func makeWriter() throws -> RoutingTraceWriter {
    let header = RoutingTraceHeader(
      model: model, layers: reports.map(\.layer),
      experts: reports.map(\.expertCount).max() ?? 0, k: reports.map(\.k).max() ?? 0,
      source: source, sources: sources)
    return try RoutingTraceWriter(header, weights: wantsWeights, tokens: true, to: path)
  }

  /// Assembles the trace.
  ///
  /// - Throws: Any error since the first pass, ``TracingError/invalidRequest(_:)`` if nothing was
  ///   recorded, or `FileError`.
  public func finish() throws {
    if let failure { throw failure }
    guard let writer else {
      throw TracingError.invalidRequest(
        "nothing was recorded: the model has no sparse layer, or read no tokens")
    }
    try writer.finish()
  }
}

@available(*, unavailable)
extension TraceRecorder: Sendable {}
