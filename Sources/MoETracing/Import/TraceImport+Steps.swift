import MoECore
public import SystemPackage

extension TraceImport {
  /// The choices of several tokens in each layer, in one pass of a model.
  public struct Step {
    /// Each layer with the slots of its tokens; if there are fewer tokens than in the pass, they
    /// are the last ones.
    public var layers: [(layer: Int, experts: [Int])]
    /// The weights of the choices, in the order of ``layers``, where the file has them.
    public var weights: [[Double]]?
    /// Slots per token, at least 1.
    public var k: Int
    /// The tokens' ids, where the file has them.
    public var tokens: [Int32]?
    /// First tokens of sequences in this step; empty if it continues the previous sequence.
    public var starts: [Int]
    /// For each start, the number of leading tokens of its sequence that were not generated, where the file says so.
    public var promptLengths: [Int]?

    /// Creates the record of one pass.
    public init(
      layers: [(layer: Int, experts: [Int])], k: Int, tokens: [Int32]? = nil, starts: [Int] = [],
      weights: [[Double]]? = nil, promptLengths: [Int]? = nil
    ) {
      (self.layers, self.k, self.tokens, self.starts) = (layers, k, tokens, starts)
      (self.weights, self.promptLengths) = (weights, promptLengths)
    }

    /// The number of tokens of the pass.
    var count: Int { layers.map { $0.experts.count / k }.max() ?? 0 }
  }

  /// A file that is read twice, one step at a time: once for its shape, once for its choices.
  public protocol StepSource {
    /// Calls `body` with each step in the order of the tokens; the steps are the same each time.
    ///
    /// - Throws: ``TracingError`` about the file, and errors from `body`.
    func forEachStep(_ body: (Step) throws -> Void) throws

    /// The number of experts per layer, where the file says it; `nil` by default.
    var experts: Int? { get throws }
    /// The model's name, where the file says it; `nil` by default.
    var model: String? { get throws }
  }

  /// Writes the trace of a file that is read step by step.
  ///
  /// Layers that hold padding only are left out, and slots that no token uses.
  ///
  /// - Throws: ``TracingError`` or `FileError`; nothing is left behind in that case.
  public func write(_ source: some StepSource, to target: FilePath) throws {
    var shape = StepShape()
    try source.forEachStep { step in
      if let problem = shape.add(step) { throw TracingError.invalidFile(path, problem) }
    }
    if let problem = shape.weights.problem { throw TracingError.invalidFile(path, problem) }
    let found = shape.layers.keys.sorted()
    guard !found.isEmpty else { throw TracingError.invalidFile(path, "it has no choices") }
    let surveys = found.compactMap { shape.layers[$0] }
    let columns = try columns(found, surveys)
    let kept = columns.map { surveys[$0.place] }
    let experts = expertCount(try source.experts, largest: kept.map(\.largest).max() ?? 0)
    if shape.emptyTokens > 0 { note(.tokensWithoutChoices(shape.emptyTokens)) }
    let writer = try RoutingTraceWriter(
      header(
        layers: columns.map(\.layer), experts: experts,
        k: kept.map(\.usedSlots).max() ?? 1, model: try source.model),
      weights: shape.hasWeights, tokens: shape.hasTokens ?? false, to: target)
    let packer = StepPacker(
      places: Dictionary(
        uniqueKeysWithValues: columns.enumerated().map { (found[$1.place], $0) }),
      writer: writer)
    try source.forEachStep { try packer.append($0) }
    try writer.finish()
  }
}

extension TraceImport.StepSource {
  /// Unknown.
  public var experts: Int? { get throws { nil } }
  /// Unknown.
  public var model: String? { get throws { nil } }
}

/// What must be known of all steps before the first token is written.
private struct StepShape {
  var layers: [Int: LayerSurvey] = [:]
  var hasTokens: Bool?
  var hasWeights = true
  var weights = WeightCheck()
  var emptyTokens = 0

  private var tokens = 0

  /// Takes a step into account, unless it has numbers that are no ids: then it says which.
  mutating func add(_ step: TraceImport.Step) -> String? {
    let count = step.count
    var isEmpty = [Bool](repeating: true, count: count)
    var zeros: [(layer: Int, token: Int)] = []
    for (index, (layer, experts)) in step.layers.enumerated() {
      let skipped = count - experts.count / step.k
      let first = tokens + skipped
      let slots = experts.compactMap(ExpertID.slot)
      guard slots.count == experts.count else {
        return ExpertID.problem(in: experts, k: step.k, layer: layer) { "token \(first + $0)" }
      }
      if let factors = step.weights?[index] {
        for (place, slot) in slots.enumerated() where slot != RoutingTraceHeader.unusedSlot {
          weights.add(factors[place], token: tokens + place / step.k, layer: layer)
        }
      }
      for (token, start) in stride(from: 0, to: slots.count, by: step.k).enumerated() {
        switch layers[layer, default: LayerSurvey()].add(slots[start..<start + step.k]) {
        case .choices: isEmpty[skipped + token] = false
        case .zeros: zeros.append((layer, skipped + token))
        case .unused: break
        }
      }
    }
    for (layer, token) in zeros where !isEmpty[token] {
      layers[layer]?.addZeros(token: tokens + token)
    }
    tokens += count
    emptyTokens += isEmpty.count { $0 }
    hasWeights = hasWeights && (step.weights != nil || count == 0)
    if hasTokens == nil { hasTokens = step.tokens != nil }
    return nil
  }
}

/// Writes steps as rows of a trace: some of their layers, used slots first.
private struct StepPacker {
  /// The column in the trace of each of the file's layers that is written.
  let places: [Int: Int]
  let writer: RoutingTraceWriter

  func append(_ step: TraceImport.Step) throws {
    let (count, k, columns) = (step.count, writer.header.k, places.count)
    var rows = [UInt16](repeating: .max, count: count * columns * k)
    var factors = [Float16](repeating: 0, count: writer.hasWeights ? rows.count : 0)
    for (index, (layer, experts)) in step.layers.enumerated() {
      guard let column = places[layer] else { continue }
      let skipped = count - experts.count / step.k
      for token in 0..<experts.count / step.k {
        let range = token * step.k..<(token + 1) * step.k
        let slots = experts[range].compactMap(ExpertID.slot)
        guard LayerSurvey.Row(slots) == .choices else { continue }
        let weights = step.weights.map { Array($0[index][range]) }
        let start = ((skipped + token) * columns + column) * k
        for (slot, choice) in SlotOrder.used(slots, weights).enumerated() {
          rows[start + slot] = choice.expert
          if writer.hasWeights { factors[start + slot] = Float16(choice.weight) }
        }
      }
    }
    try write(step, count: count, rows: rows, factors: factors)
  }

  private func write(
    _ step: TraceImport.Step, count: Int, rows: [UInt16], factors: [Float16]
  ) throws {
    let width = writer.header.choicesPerToken
    let starts = step.starts.filter { $0 > 0 }
    for (start, end) in zip([0] + starts, starts + [count]) {
      if let index = step.starts.firstIndex(of: start) {
        writer.beginSequence(promptLength: step.promptLengths?[index])
      }
      guard start < end, end <= count else { continue }
      let range = start * width..<end * width
      try writer.append(
        experts: Array(rows[range]),
        weights: writer.hasWeights ? Array(factors[range]) : nil,
        tokens: step.tokens.map { Array($0[start..<end]) })
    }
  }
}
