import MoECore
import SystemPackage

extension TraceImporter {
  /// NumPy `[tokens, layers, k]`, as vLLM returns routed experts.
  public static let numpy = TraceImporter(
    "numpy", help: ".npy [tokens, layers, k], as vLLM returns",
    recognises: { try $0.extension == "npy" && NumPyFile($0).shape.count != 2 },
    convert: { request, target in
      try request.importNumPy(axes: ["tokens", "layers", "k"], to: target)
    })

  /// NumPy `[tokens, layers]`, one expert per token and layer, as ExFlow's solver reads.
  public static let exflow = TraceImporter(
    "exflow", help: ".npy [tokens, layers], as ExFlow's solver reads",
    recognises: { try $0.extension == "npy" && NumPyFile($0).shape.count == 2 },
    convert: { request, target in
      try request.importNumPy(axes: ["tokens", "layers"], to: target)
    })
}

extension TraceImport {
  /// Imports an array with one axis per word of `axes`.
  func importNumPy(axes: [String], to target: FilePath) throws {
    let file = try NumPyFile(path)
    let rank = axes.count
    guard file.shape.count == rank, file.shape.dropFirst().allSatisfy({ 1...4096 ~= $0 }) else {
      throw TracingError.invalidFile(
        path,
        "its shape is \(file.shape); expected [\(axes.joined(separator: ", "))]"
      )
    }
    let (tokens, layers, k) = (file.shape[0], file.shape[1], rank == 3 ? file.shape[2] : 1)
    try check(layers: layers)
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

  /// Puts the best expert of every token first, as in traces, if weights tell which one it is.
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
