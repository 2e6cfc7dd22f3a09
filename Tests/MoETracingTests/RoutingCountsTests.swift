import MoECore
import MoETestSupport
import MoETracing
import Testing

@Suite("Counts of routing")
struct RoutingCountsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let all: RoutingCounts.Tables = [
    .firstTransitions, .pairTransitions, .weightedTransitions, .coactivations,
  ]

  @Test("of a literal trace are those counted by hand")
  func literal() throws {
    let writer = try RoutingTraceWriter(
      RoutingTraceHeader(layers: [2, 5], experts: 3, k: 2), to: folder.file("t"))
    // Token 0: {0, 1} then {1, 2}; token 1: {0, 2} then {1}.
    try writer.append(experts: [0, 1, 1, 2, 0, 2, 1, 65535])
    try writer.finish()
    let counts = try RoutingCounts(RoutingTrace(folder.file("t")), tables: Self.all)
    #expect(counts.layers == [2, 5] && counts.tokenCount == 2)
    #expect(counts.loads == [[2, 1, 1], [0, 2, 1]])
    #expect(counts.firstLoads == [[2, 0, 0], [0, 2, 0]])
    #expect(counts.weightedLoads == [[1, 0.5, 0.5], [0, 1.5, 0.5]])
    #expect(counts.firstTransitions == [[0, 2, 0, 0, 0, 0, 0, 0, 0]])
    #expect(counts.pairTransitions == [[0, 2, 1, 0, 1, 1, 0, 1, 0]])
    #expect(counts.weightedTransitions == [[0, 0.75, 0.25, 0, 0.25, 0.25, 0, 0.5, 0]])
    #expect(counts.coactivations?[0] == [0, 1, 1, 1, 0, 0, 1, 0, 0])
  }

  @Test(
    "equal a slow count, with and without weights and unused slots",
    arguments: [(false, false), (false, true), (true, false), (true, true)])
  func reference(holes: Bool, weights: Bool) throws {
    // Long enough for several blocks and threads.
    let sample = SampleTrace(
      tokens: 5000, layers: 3, experts: 7, k: 3, seed: 4, holes: holes, weights: weights)
    let trace = try sample.write(to: folder.file("t"))
    for range in [0..<5000, 100..<4500] {
      let counts = try RoutingCounts(trace, in: range, tables: Self.all)
      let slow = SlowCounts(sample, range)
      #expect(counts.loads == slow.loads && counts.firstLoads == slow.firstLoads)
      #expect(counts.firstTransitions == slow.first && counts.pairTransitions == slow.pairs)
      #expect(counts.coactivations == slow.coactivations)
      for (found, expected) in zip(counts.weightedTransitions ?? [], slow.weighted) {
        for (a, b) in zip(found, expected) { #expect(Tolerance.sums.allows(a, for: b)) }
      }
      for (found, expected) in zip(counts.weightedLoads, slow.weightedLoads) {
        for (a, b) in zip(found, expected) { #expect(Tolerance.sums.allows(a, for: b)) }
      }
    }
  }

  @Test("of parts add up to those of the whole")
  func parts() throws {
    let trace = try SampleTrace(tokens: 700, layers: 2, experts: 5, k: 2, seed: 9)
      .write(to: folder.file("t"))
    let whole = try RoutingCounts(trace).loads
    let parts = try [0..<300, 300..<700].map { try RoutingCounts(trace, in: $0).loads }
    let sums = zip(parts[0], parts[1]).map { zip($0, $1).map(+) }
    #expect(whole == sums)
  }

  @Test("reject tables that do not fit into any memory")
  func tooLarge() throws {
    let writer = try RoutingTraceWriter(
      RoutingTraceHeader(layers: Array(0..<4096), experts: 65535, k: 1), to: folder.file("t"))
    try writer.finish()
    let trace = try RoutingTrace(folder.file("t"))
    #expect(throws: TracingError.self) { try RoutingCounts(trace) }
  }
}

/// Counts token by token.
private struct SlowCounts {
  var loads, firstLoads, first, pairs, coactivations: [[Int]]
  var weightedLoads, weighted: [[Double]]

  init(_ sample: SampleTrace, _ range: Range<Int>) {
    let (size, layers) = (sample.header.experts, sample.header.layers.count)
    loads = Array(repeating: Array(repeating: 0, count: size), count: layers)
    firstLoads = loads
    weightedLoads = loads.map { $0.map(Double.init) }
    coactivations = Array(repeating: Array(repeating: 0, count: size * size), count: layers)
    first = Array(coactivations.dropLast())
    pairs = first
    weighted = first.map { $0.map(Double.init) }
    for token in range {
      for layer in 0..<layers {
        let here = sample.choices(token, layer)
        if let choice = here.first { firstLoads[layer][choice.expert] += 1 }
        for choice in here {
          loads[layer][choice.expert] += 1
          weightedLoads[layer][choice.expert] += choice.share
          for other in here where other.expert != choice.expert {
            coactivations[layer][choice.expert * size + other.expert] += 1
          }
        }
        guard layer + 1 < layers else { continue }
        let next = sample.choices(token, layer + 1)
        if let from = here.first, let to = next.first {
          first[layer][from.expert * size + to.expert] += 1
        }
        for from in here {
          for to in next {
            pairs[layer][from.expert * size + to.expert] += 1
            weighted[layer][from.expert * size + to.expert] += from.share * to.share
          }
        }
      }
    }
  }
}

extension Tolerance {
  /// Sums of some thousand fractions in f64, in another order.
  fileprivate static let sums = Tolerance(relative: 1e-10, absolute: 1e-9)
}
