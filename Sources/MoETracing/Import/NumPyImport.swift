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
    let source = try ChoiceArray(self, axes: axes)
    let lengths = try sequenceLengths(source.tokens)
    guard source.tokens > 0 else { throw TracingError.invalidFile(path, "it has no tokens") }
    var survey = ArraySurvey(layers: source.layers)
    try source.forEachBlock(0..<source.tokens) { survey.add($0) }
    if let problem = survey.weights.problem {
      throw TracingError.invalidFile(options.weights ?? path, problem)
    }
    let columns = try columns(Array(0..<source.layers), survey.layers)
    let kept = columns.map { survey.layers[$0.place] }
    let experts = expertCount(nil, largest: kept.map(\.largest).max() ?? 0)
    if survey.emptyTokens > 0 { note(.tokensWithoutChoices(survey.emptyTokens)) }
    let writer = try RoutingTraceWriter(
      header(
        layers: columns.map(\.layer), experts: experts, k: kept.map(\.usedSlots).max() ?? 1),
      weights: source.weights != nil, to: target)
    for length in lengths {
      writer.beginSequence()
      let first = writer.tokenCount
      try source.forEachBlock(first..<first + length) { block in
        let rows = block.packed(columns, k: writer.header.k)
        try writer.append(experts: rows.experts, weights: rows.weights)
      }
    }
    try writer.finish()
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

/// What must be known of an array before the first token is written.
private struct ArraySurvey {
  var layers: [LayerSurvey]
  var weights = WeightCheck()
  var emptyTokens = 0

  init(layers: Int) { self.layers = Array(repeating: LayerSurvey(), count: layers) }

  mutating func add(_ block: ChoiceArray.Block) {
    var zeros: [Int] = []
    for token in 0..<block.count {
      var isEmpty = true
      zeros.removeAll(keepingCapacity: true)
      for layer in layers.indices {
        let range = block.slots(token, layer)
        let row = layers[layer].add(block.experts[range])
        if row == .zeros { zeros.append(layer) }
        guard row == .choices else { continue }
        isEmpty = false
        guard let factors = block.weights else { continue }
        for slot in range where block.experts[slot] != RoutingTraceHeader.unusedSlot {
          weights.add(factors[slot], token: block.first + token, layer: layer)
        }
      }
      if isEmpty {
        emptyTokens += 1
      } else {
        for layer in zeros { layers[layer].addZeros(token: block.first + token) }
      }
    }
  }
}
