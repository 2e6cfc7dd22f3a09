import MoECore
public import SystemPackage

extension TraceImport {
  /// The choices of several tokens in each layer, in one pass of a model.
  public struct Step {
    /// Each layer with the slots of its tokens; if there are fewer tokens than in the pass, they
    /// are the last ones.
    public var layers: [(layer: Int, experts: [Int])]
    /// Slots per token, at least 1.
    public var k: Int
    /// The tokens' ids, where the file has them.
    public var tokens: [Int32]?
    /// First tokens of sequences in this step; empty if it continues the previous sequence.
    public var starts: [Int]

    /// Creates the record of one pass.
    public init(
      layers: [(layer: Int, experts: [Int])], k: Int, tokens: [Int32]? = nil, starts: [Int] = []
    ) {
      (self.layers, self.k, self.tokens, self.starts) = (layers, k, tokens, starts)
    }
  }

  /// A file that is read twice, one step at a time: once for its shape, once for its choices.
  public protocol StepSource {
    /// Calls `body` with each step in the order of the tokens; the steps are the same each time.
    ///
    /// - Throws: ``TracingError`` about the file, and errors from `body`.
    func forEachStep(_ body: (Step) throws -> Void) throws
  }

  /// The properties that must be known before the first token is written.
  private struct Shape {
    var layers: Set<Int> = []
    var k = 0
    var largest = 0
    var hasTokens: Bool?

    mutating func add(_ step: Step) {
      layers.formUnion(step.layers.map(\.layer))
      k = max(k, step.k)
      for layer in step.layers { largest = max(largest, layer.experts.max() ?? 0) }
      if hasTokens == nil { hasTokens = step.tokens != nil }
    }
  }

  /// Writes the trace of a file that is read step by step.
  ///
  /// - Throws: ``TracingError`` or `FileError`; nothing is left behind in that case.
  public func write(_ source: some StepSource, to target: FilePath) throws {
    var shape = Shape()
    try source.forEachStep { shape.add($0) }
    let layers = shape.layers.sorted()
    guard !layers.isEmpty else { throw TracingError.invalidFile(path, "it has no choices") }
    try check(layers: layers.count)
    let writer = try RoutingTraceWriter(
      header(layers: layers, experts: options.experts ?? shape.largest + 1, k: shape.k),
      tokens: shape.hasTokens ?? false, to: target)
    let columns = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1, $0) })
    try source.forEachStep { step in
      try Self.append(step, columns, k: shape.k, to: writer)
    }
    try writer.finish()
  }

  private static func append(
    _ step: Step, _ columns: [Int: Int], k: Int, to writer: RoutingTraceWriter
  ) throws {
    let count = step.layers.map { $0.experts.count / step.k }.max() ?? 0
    var rows = [UInt16](repeating: .max, count: count * columns.count * k)
    for (layer, experts) in step.layers {
      let skipped = count - experts.count / step.k
      for (place, expert) in experts.enumerated() {
        let (token, slot) = place.quotientAndRemainder(dividingBy: step.k)
        let row = (skipped + token) * columns.count + (columns[layer] ?? 0)
        rows[row * k + slot] =
          0..<65_534 ~= expert ? UInt16(expert) : expert == -1 ? .max : .max - 1
      }
    }
    let width = columns.count * k
    let starts = step.starts.filter { $0 > 0 }
    for (start, end) in zip([0] + starts, starts + [count]) {
      if step.starts.contains(start) { writer.beginSequence() }
      guard start < end, end <= count else { continue }
      try writer.append(
        experts: Array(rows[start * width..<end * width]),
        tokens: step.tokens.map { Array($0[start..<end]) })
    }
  }
}
