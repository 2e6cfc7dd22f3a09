import Foundation
import MoECore
public import SystemPackage

/// Converts other systems' routing records to the trace format.
public struct TraceImport {
  /// Supported formats.
  public enum Format: String, Hashable, Sendable, CaseIterable {
    /// SGLang's expert distribution recorder, mode per_token: `.pt`.
    case sglang
    /// Megatron-Core's `router_trace`: a line of JSON per step and layer.
    case megatron
    /// NumPy `[tokens, layers, k]`, as vLLM returns routed experts.
    case numpy
    /// NumPy `[tokens, layers]`, one expert per token and layer, as ExFlow's solver reads.
    case exflow
    /// llama.cpp's `moe-trace`: a CSV line `layer,expert` per choice.
    case llamacpp
  }

  /// Information that a file does not contain.
  public struct Options: Hashable, Sendable {
    /// The number of experts per layer; `nil` for the largest id that occurs, plus 1.
    public var experts: Int?
    /// The number of slots per token, if the format does not store it.
    public var k: Int?
    /// Indices of the sparse layers; `nil` for those in the file, or 0, 1, ….
    public var layers: [Int]?
    /// An `.npy` file with a weight per choice, for `.npy` files.
    public var weights: FilePath?
    /// An `.npy` file with the length of each sequence, for `.npy` files.
    public var sequenceLengths: FilePath?
    /// The model's name.
    public var model: String?

    /// Options that take everything from the file.
    public init() {}
  }

  let path: FilePath
  private let format: Format
  let options: Options

  /// Prepares to import a file.
  ///
  /// - Throws: ``TracingError/invalidRequest(_:)`` when no format is given and it cannot be derived
  ///   from the file's name and first bytes.
  public init(_ path: FilePath, format: Format? = nil, options: Options = Options()) throws {
    (self.path, self.options) = (path, options)
    self.format = try format ?? Self.guess(path)
  }

  private static func guess(_ path: FilePath) throws -> Format {
    switch path.extension {
    case "pt", "pth": return .sglang
    case "jsonl": return .megatron
    case "csv": return .llamacpp
    case "npy": return try NumPyFile(path).shape.count == 2 ? .exflow : .numpy
    default:
      throw TracingError.invalidRequest(
        "\(path): the format is not clear from the name; choose one of: \(Format.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
  }

  /// Writes the trace.
  ///
  /// - Throws: ``TracingError``, `PickleError` or `FileError`; nothing is left behind in that case.
  public func write(to target: FilePath) throws {
    do {
      try convert(to: target)
    } catch TracingError.invalidRequest(let problem) {
      throw TracingError.invalidFile(path, problem)
    } catch TracingError.expertOutOfRange(_, let token, let layer, let expert, let experts) {
      throw TracingError.expertOutOfRange(
        path, token: token, layer: layer, expert: expert, experts: experts)
    }
  }

  private func convert(to target: FilePath) throws {
    switch format {
    case .numpy, .exflow: try importNumPy(to: target)
    case .sglang: try write(SGLangRecords(path), to: target)
    case .megatron: try write(MegatronRecords(path), to: target)
    case .llamacpp: try write(LlamaCppRows(path, k: options.k), to: target)
    }
  }

  func header(layers: [Int], experts: Int, k: Int) -> RoutingTraceHeader {
    RoutingTraceHeader(
      model: options.model, layers: options.layers ?? layers, experts: experts, k: k,
      source: "\(format.rawValue): \(path.lastComponent?.string ?? "")")
  }

  func checked(layers count: Int) throws {
    if let layers = options.layers, layers.count != count {
      throw TracingError.invalidRequest(
        "\(layers.count) layers are named, but \(path) holds \(count)")
    }
  }

  // MARK: NumPy

  private func importNumPy(to target: FilePath) throws {
    let file = try NumPyFile(path)
    let rank = format == .exflow ? 2 : 3
    guard file.shape.count == rank, file.shape.dropFirst().allSatisfy({ 1...4096 ~= $0 }) else {
      throw TracingError.invalidFile(
        path,
        "its shape is \(file.shape); expected \(rank == 2 ? "[tokens, layers]" : "[tokens, layers, k]")"
      )
    }
    let (tokens, layers, k) = (file.shape[0], file.shape[1], rank == 3 ? file.shape[2] : 1)
    try checked(layers: layers)
    let weights = try options.weights.map { try NumPyFile($0) }
    if let weights, weights.count != file.count {
      throw TracingError.invalidFile(
        path, "it has \(file.count) choices, but there are \(weights.count) weights")
    }
    let width = layers * k
    let lengths = try sequenceLengths(tokens)
    let experts = try options.experts ?? largest(file, width: width) + 1
    let writer = try RoutingTraceWriter(
      header(layers: Array(0..<layers), experts: experts, k: k), weights: weights != nil, to: target
    )
    for length in lengths {
      writer.beginSequence()
      let first = writer.tokenCount
      for start in stride(from: first, to: first + length, by: Self.block) {
        let range = start * width..<min(start + Self.block, first + length) * width
        var experts = try file.experts(range)
        var factors = weights?.floats(range).map { Float16($0) }
        Self.sortSlots(&experts, &factors, k: k)
        try writer.append(experts: experts, weights: factors)
        file.discardPages()
        weights?.discardPages()
      }
    }
    try writer.finish()
  }

  private static let block = 1 << 14

  /// Sorts the experts of every token best first, as traces require, if there are weights.
  private static func sortSlots(_ experts: inout [UInt16], _ weights: inout [Float16]?, k: Int) {
    guard var factors = weights, k > 1 else { return }
    for start in stride(from: 0, to: experts.count, by: k) {
      let slots = start..<start + k
      guard zip(slots, slots.dropFirst()).contains(where: { factors[$0] < factors[$1] }) else {
        continue
      }
      let order = slots.sorted { (-factors[$0], $0) < (-factors[$1], $1) }
      let (sortedExperts, sortedFactors) = (order.map { experts[$0] }, order.map { factors[$0] })
      experts.replaceSubrange(slots, with: sortedExperts)
      factors.replaceSubrange(slots, with: sortedFactors)
    }
    weights = factors
  }

  private func largest(_ file: NumPyFile, width: Int) throws -> Int {
    var result = 0
    for start in stride(from: 0, to: file.count, by: Self.block * width) {
      for expert in try file.experts(start..<min(start + Self.block * width, file.count))
      where expert != RoutingTraceHeader.unusedSlot { result = max(result, Int(expert)) }
      file.discardPages()
    }
    return result
  }

  private func sequenceLengths(_ tokens: Int) throws -> [Int] {
    guard let path = options.sequenceLengths else { return [tokens] }
    let file = try NumPyFile(path)
    let lengths = file.integers(0..<file.count)
    guard lengths.allSatisfy({ 0...tokens ~= $0 }), lengths.reduce(0, { $0 &+ $1 }) == tokens else {
      throw TracingError.invalidFile(
        path, "its lengths do not add up to the \(tokens) tokens of \(self.path)")
    }
    return lengths
  }
}
