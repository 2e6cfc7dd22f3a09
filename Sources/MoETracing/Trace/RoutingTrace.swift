import MoECore
public import SystemPackage

/// The experts that each token of a text chose in each sparse layer: a mapped safetensors file.
///
/// | tensor | type and shape | |
/// |---|---|---|
/// | `experts` | u16 `[tokens, layers, k]` | best first; 65535 in unused slots |
/// | `weights` | f16, same shape | optional: factors of the experts' answers |
/// | `tokens` | i32 `[tokens]` | optional: ids of the tokens |
/// | `sequence_starts` | i64 `[sequences]` | optional: first token of each sequence, from 0, rising |
/// | `prompt_lengths` | i64 `[sequences]` | optional: leading tokens that were not generated |
/// | `sequence_sources` | i32 `[sequences]` | optional: which of the header's `sources`, -1 for none |
///
/// Opening reads and checks everything except the contents of `experts`, `weights` and `tokens`;
/// ``forEachBlock(in:_:)`` checks each choice when it is read.
public final class RoutingTrace: Sendable {
  /// The trace's header.
  public let header: RoutingTraceHeader
  /// Number of tokens.
  public let tokenCount: Int
  /// The first token of each sequence; a single sequence if the file has none.
  public let sequenceStarts: [Int]
  /// The number of leading tokens of each sequence that were not generated, if recorded.
  public let promptLengths: [Int]?
  /// The index of each sequence's text in the header's sources, -1 for none, if recorded.
  public let sequenceSources: [Int]?
  /// Whether each choice has a weight.
  public let hasWeights: Bool
  /// Whether ids of the tokens are known.
  public let hasTokens: Bool
  let file: SafetensorsFile

  /// The number of tokens in a block of ``forEachBlock(in:_:)``.
  static let blockTokens = 4096

  /// Opens a trace.
  ///
  /// - Throws: ``TracingError``, `SafetensorsError` or `FileError`.
  public init(_ path: FilePath) throws {
    file = try SafetensorsFile(path)
    do {
      let layout = try Layout(file)
      (header, tokenCount) = (layout.header, layout.tokenCount)
      (hasWeights, hasTokens) = (layout.hasWeights, layout.hasTokens)
      (sequenceStarts, promptLengths, sequenceSources) = try layout.sequences(of: file)
    } catch let refusal as Refusal {
      throw TracingError.invalidFile(path, refusal.text)
    }
  }

  /// The trace's path.
  public var path: FilePath { file.path }

  /// A run of tokens, as stored in the file.
  @safe public struct Block {
    /// The block's tokens in the trace.
    public let range: Range<Int>
    /// `[tokens, layers, k]`, row-major; valid during the call.
    @unsafe public let experts: UnsafeBufferPointer<UInt16>
    /// The bits of f16 weights in the order of ``experts``, if there are any.
    @unsafe public let weights: UnsafeBufferPointer<UInt16>?
    /// Ids of the tokens, if they are known.
    @unsafe public let tokens: UnsafeBufferPointer<Int32>?
  }

  /// Calls `body` with one block of tokens after another, with bounded memory for any length.
  ///
  /// - Parameters:
  ///   - range: The tokens; `nil` for all.
  ///   - body: Receives blocks whose experts are all in range, and differ within a token and layer.
  /// - Throws: ``TracingError/expertOutOfRange(_:token:layer:expert:experts:)``,
  ///   ``TracingError/expertRepeated(_:token:layer:expert:)``, or what `body` throws.
  /// - Precondition: The range is inside the trace.
  public func forEachBlock(in range: Range<Int>? = nil, _ body: (Block) throws -> Void) throws {
    let range = range ?? 0..<tokenCount
    precondition(
      range.lowerBound >= 0 && range.upperBound <= tokenCount, "\(range) of \(tokenCount) tokens")
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.blockTokens) {
      let tokens = start..<min(start + Self.blockTokens, range.upperBound)
      try withBlock(tokens) { block in
        try check(block)
        try body(block)
      }
      releasePages(before: tokens.upperBound)
    }
    file.discardPages()
  }

  /// The experts of some tokens, `[tokens, layers, k]` row-major, 65535 in unused slots.
  ///
  /// - Throws: ``TracingError/expertOutOfRange(_:token:layer:expert:experts:)``.
  public func experts(in range: Range<Int>) throws -> [UInt16] {
    var result: [UInt16] = []
    result.reserveCapacity(range.count * header.choicesPerToken)
    try forEachBlock(in: range) { unsafe result.append(contentsOf: $0.experts) }
    return result
  }

  /// The weights of some tokens' choices, in the order of ``experts(in:)``, or `nil` without
  /// weights.
  ///
  /// - Throws: ``TracingError/expertOutOfRange(_:token:layer:expert:experts:)``.
  public func weights(in range: Range<Int>) throws -> [Float]? {
    guard hasWeights else { return nil }
    var result: [Float] = []
    try forEachBlock(in: range) { block in
      let weights = unsafe Array(block.weights ?? .init(start: nil, count: 0))
      result += weights.map { Float(Float16(bitPattern: $0)) }
    }
    return result
  }

  /// The ids of some tokens, or `nil` if they are unknown.
  ///
  /// - Throws: ``TracingError/expertOutOfRange(_:token:layer:expert:experts:)``.
  public func tokens(in range: Range<Int>) throws -> [Int32]? {
    guard hasTokens else { return nil }
    var result: [Int32] = []
    try forEachBlock(in: range) { block in
      unsafe result.append(contentsOf: block.tokens ?? .init(start: nil, count: 0))
    }
    return result
  }

  /// Checks every choice.
  ///
  /// - Throws: ``TracingError/expertOutOfRange(_:token:layer:expert:experts:)`` or
  ///   ``TracingError/expertRepeated(_:token:layer:expert:)``.
  public func validate() throws { try forEachBlock { _ in } }

  private func withBlock(_ range: Range<Int>, _ body: (Block) throws -> Void) throws {
    let width = header.choicesPerToken
    let choices = range.lowerBound * width..<range.upperBound * width
    try file.withBytes(of: "experts") { bytes in
      let experts = unsafe Self.part(choices, of: bytes, as: UInt16.self)
      unsafe try withOptional("weights", hasWeights, choices, as: UInt16.self) { weights in
        unsafe try withOptional("tokens", hasTokens, range, as: Int32.self) { tokens in
          unsafe try body(
            Block(range: range, experts: experts, weights: weights, tokens: tokens))
        }
      }
    }
  }

  private func withOptional<Element>(
    _ name: String, _ exists: Bool, _ range: Range<Int>, as type: Element.Type,
    _ body: (UnsafeBufferPointer<Element>?) throws -> Void
  ) throws {
    guard exists else { return try body(nil) }
    try file.withBytes(of: name) { bytes in
      unsafe try body(unsafe Self.part(range, of: bytes, as: type))
    }
  }

  /// Elements in a range of a tensor's bytes.
  private static func part<Element>(
    _ range: Range<Int>, of bytes: RawSpan, as type: Element.Type
  ) -> UnsafeBufferPointer<Element> {
    unsafe bytes.withUnsafeBytes { raw in
      let start = unsafe raw.baseAddress?.advanced(
        by: range.lowerBound * MemoryLayout<Element>.size)
      let typed = unsafe start?.assumingMemoryBound(to: type)
      return unsafe UnsafeBufferPointer(start: typed, count: range.count)
    }
  }

  private func check(_ block: Block) throws(TracingError) {
    let (limit, unused) = (UInt16(header.experts), RoutingTraceHeader.unusedSlot)
    // The largest index in the block, with unused slots as 0: branch-free, so that it is fast.
    var largest: UInt16 = 0
    for place in unsafe block.experts.indices {
      let expert = unsafe block.experts[place]
      largest = max(largest, expert == unused ? 0 : expert)
    }
    guard largest >= limit else { return try checkRepeats(block) }
    for (place, expert) in unsafe Array(block.experts).enumerated()
    where expert >= limit && expert != unused {
      let (token, rest) = place.quotientAndRemainder(dividingBy: header.choicesPerToken)
      throw .expertOutOfRange(
        path, token: block.range.lowerBound + token, layer: header.layers[rest / header.k],
        expert: Int(expert), experts: header.experts)
    }
  }

  private func checkRepeats(_ block: Block) throws(TracingError) {
    guard
      let repeated = unsafe RepeatedChoice(
        in: block.experts.span, k: header.k, experts: header.experts)
    else { return }
    let (token, column) = repeated.row.quotientAndRemainder(dividingBy: header.layers.count)
    throw .expertRepeated(
      path, token: block.range.lowerBound + token, layer: header.layers[column],
      expert: Int(repeated.expert))
  }

  /// Releases pages from time to time, so that reading a long trace does not fill the memory.
  private func releasePages(before token: Int) {
    if token % (Self.blockTokens * 16) == 0 { file.discardPages() }
  }
}
