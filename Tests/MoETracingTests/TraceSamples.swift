import MoECore
import MoETestSupport
import MoETracing
import SystemPackage

/// Random traces, and helpers for a slow reference reading of them.
struct SampleTrace {
  var header: RoutingTraceHeader
  var experts: [UInt16]
  var weights: [Float16]?
  var tokens: Int { experts.count / (header.layers.count * header.k) }

  /// Random choices; with `holes`, some slots are unused.
  init(
    tokens: Int, layers: Int, experts count: Int, k: Int, seed: UInt64, holes: Bool = false,
    weights withWeights: Bool = false
  ) {
    var generator = SeededGenerator(seed: seed)
    header = RoutingTraceHeader(layers: Array(0..<layers), experts: count, k: k)
    experts = []
    for _ in 0..<tokens * layers {
      var row = (0..<UInt16(count)).shuffled(using: &generator).prefix(k).map { $0 }
      if holes, Bool.random(using: &generator) {
        let used = Int.random(in: 0...k, using: &generator)
        for slot in used..<k { row[slot] = RoutingTraceHeader.unusedSlot }
      }
      experts += row
    }
    weights =
      withWeights
      ? experts.map { _ in Float16(Float.random(in: 0.1...1, using: &generator)) } : nil
  }

  func write(to path: FilePath) throws -> RoutingTrace {
    let writer = try RoutingTraceWriter(header, weights: weights != nil, to: path)
    try writer.append(experts: experts, weights: weights)
    try writer.finish()
    return try RoutingTrace(path)
  }

  /// The experts and weights of a token in a layer, read directly.
  func choices(_ token: Int, _ layer: Int) -> [(expert: Int, share: Double)] {
    let start = (token * header.layers.count + layer) * header.k
    let used = (start..<start + header.k).filter { experts[$0] != RoutingTraceHeader.unusedSlot }
    let raw = used.map { place in weights.map { Double($0[place]) } ?? 1 }
    let sum = raw.reduce(0, +)
    return zip(used, raw).map { (Int(experts[$0]), $1 / sum) }
  }
}
