import MoECore
public import SystemPackage

/// Writes a trace of any length with bounded memory; the file is written atomically.
///
/// Columns are spooled into unnamed files on the target's disk, because safetensors needs each in
/// one piece, and combined by ``finish()``. Without that call no file is created.
public final class RoutingTraceWriter {
  /// The trace's header; sources may be added until ``finish()``.
  public var header: RoutingTraceHeader
  /// The number of tokens so far.
  public private(set) var tokenCount = 0
  private let path: FilePath
  let hasWeights: Bool
  private let hasTokens: Bool
  private var columns: [String: SpooledBytes]
  private var starts: [Int] = []
  private var promptLengths: [Int?] = []
  private var sources: [Int] = []

  /// Prepares to write a trace.
  ///
  /// - Parameters:
  ///   - header: The trace's header.
  ///   - weights: Whether every choice comes with its weight.
  ///   - tokens: Whether every token comes with its id.
  ///   - path: The file, which is replaced if it exists.
  /// - Throws: ``TracingError/invalidRequest(_:)`` for an invalid header, or `FileError`.
  public init(
    _ header: RoutingTraceHeader, weights: Bool = false, tokens: Bool = false, to path: FilePath
  ) throws {
    if let problem = header.problem { throw TracingError.invalidRequest("the trace's \(problem)") }
    (self.header, self.path, hasWeights, hasTokens) = (header, path, weights, tokens)
    let names = ["experts"] + (weights ? ["weights"] : []) + (tokens ? ["tokens"] : [])
    var spools: [String: SpooledBytes] = [:]
    for name in names {
      let column = try SpooledBytes(beside: path)
      spools[name] = column
    }
    columns = spools
  }

  /// Begins a sequence at the next token.
  ///
  /// - Parameters:
  ///   - source: The index of its text in the header's sources, if it has one.
  ///   - promptLength: The number of leading tokens that are not generated; `nil` if unknown.
  public func beginSequence(source: Int? = nil, promptLength: Int? = nil) {
    // A sequence without tokens is not recorded.
    if starts.last == tokenCount {
      starts.removeLast()
      promptLengths.removeLast()
      sources.removeLast()
    }
    starts.append(tokenCount)
    promptLengths.append(promptLength)
    sources.append(source ?? -1)
  }

  /// Appends tokens.
  ///
  /// - Parameters:
  ///   - experts: `[tokens, layers, k]` row-major, best first, 65535 in unused slots.
  ///   - weights: The weights in the same order, if the trace has weights.
  ///   - tokens: Ids of the tokens, if the trace has them.
  /// - Throws: ``TracingError`` when numbers are out of range or missing, or `FileError`, as for a
  ///   full disk.
  public func append(
    experts: [UInt16], weights: [Float16]? = nil, tokens: [Int32]? = nil
  ) throws {
    let width = header.choicesPerToken
    guard experts.count % width == 0 else {
      throw TracingError.invalidRequest(
        "\(experts.count) choices are not a multiple of the \(width) of a token")
    }
    let count = experts.count / width
    guard (weights?.count ?? 0) == (hasWeights ? experts.count : 0),
      (tokens?.count ?? 0) == (hasTokens ? count : 0)
    else {
      throw TracingError.invalidRequest(
        "weights and ids must come with every choice and token of the trace, or with none")
    }
    try check(experts)
    if starts.isEmpty, count > 0 { beginSequence() }
    try spool(experts, "experts")
    if let weights { try spool(weights, "weights") }
    if let tokens { try spool(tokens, "tokens") }
    tokenCount += count
  }

  private func spool<Element: BitwiseCopyable>(_ elements: [Element], _ name: String) throws {
    guard let column = columns[name] else { return }
    try column.append(elements)
  }

  private func check(_ experts: [UInt16]) throws(TracingError) {
    let (limit, unused) = (UInt16(header.experts), RoutingTraceHeader.unusedSlot)
    var isGood = true
    for expert in experts { isGood = isGood && (expert < limit || expert == unused) }
    if isGood {
      guard
        let repeated = RepeatedChoice(in: experts.span, k: header.k, experts: header.experts)
      else { return }
      let (token, column) = repeated.row.quotientAndRemainder(dividingBy: header.layers.count)
      throw .expertRepeated(
        path, token: tokenCount + token, layer: header.layers[column],
        expert: Int(repeated.expert))
    }
    for (place, expert) in experts.enumerated() where expert >= limit && expert != unused {
      let (token, rest) = place.quotientAndRemainder(dividingBy: header.choicesPerToken)
      throw .expertOutOfRange(
        path, token: tokenCount + token, layer: header.layers[rest / header.k],
        expert: Int(expert), experts: header.experts)
    }
  }

  /// Assembles the file.
  ///
  /// - Throws: ``TracingError/invalidRequest(_:)`` for prompts longer than their sequences, or
  ///   `FileError`.
  public func finish() throws {
    if starts.last == tokenCount {
      starts.removeLast()
      promptLengths.removeLast()
      sources.removeLast()
    }
    if let problem = header.problem { throw TracingError.invalidRequest("the trace's \(problem)") }
    let parts = try sequenceColumns()
    var items = parts.map { SafetensorsItem(name: $0.name, dtype: .i64, shape: [$0.values.count]) }
    let shape = [tokenCount, header.layers.count, header.k]
    if hasTokens { items.append(.init(name: "tokens", dtype: .i32, shape: [tokenCount])) }
    items.append(.init(name: "experts", dtype: .u16, shape: shape))
    if hasWeights { items.append(.init(name: "weights", dtype: .f16, shape: shape)) }
    let text = SafetensorsHeaderText(items, metadata: ["switchyard": try header.json])
    let spools = ["tokens", "experts", "weights"].compactMap { columns[$0] }
    let numbers = parts.map { part in part.values.map { Int64($0) } }
    try AtomicFile.write(to: path) { file in
      try Self.append(text.bytes, to: file)
      for column in numbers { try Self.append(column, to: file) }
      for column in spools { try column.copy(to: file) }
    }
    columns = [:]
  }

  private static func append<Element: BitwiseCopyable>(
    _ elements: [Element], to file: borrowing AtomicFile
  ) throws {
    unsafe try file.append(elements.span.bytes)
  }

  private func sequenceColumns() throws -> [(name: String, values: [Int])] {
    var result = [(name: "sequence_starts", values: starts)]
    if promptLengths.contains(where: { $0 != nil }) {
      let lengths = zip(starts, starts.dropFirst() + [tokenCount]).map { $1 - $0 }
      let known = zip(promptLengths, lengths).map { $0 ?? $1 }
      guard zip(known, lengths).allSatisfy({ 0...$1 ~= $0 }) else {
        throw TracingError.invalidRequest("a prompt is longer than its sequence")
      }
      result.append((name: "prompt_lengths", values: known))
    }
    if sources.contains(where: { $0 >= 0 }) {
      guard sources.allSatisfy({ $0 < header.sources.count }) else {
        throw TracingError.invalidRequest(
          "a sequence names a source beyond the header's \(header.sources.count)")
      }
      result.append((name: "sequence_sources", values: sources))
    }
    return result
  }
}

@available(*, unavailable)
extension RoutingTraceWriter: Sendable {}
