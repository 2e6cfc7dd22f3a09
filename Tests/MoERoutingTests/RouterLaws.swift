import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import Testing

/// What holds for every router on every input.
func checkLaws(
  of router: any Router, on logits: Tensor, in makeContext: () -> RoutingContext,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let routing = router.route(logits, in: makeContext())
  let (tokens, experts) = (routing.tokenCount, routing.expertCount)
  #expect(tokens == logits.size(0), sourceLocation: sourceLocation)
  #expect(router.gateColumns(experts: experts) == logits.size(1), sourceLocation: sourceLocation)

  switch routing.choice {
  case .byToken(let chosen, let k):
    #expect(chosen.count == tokens * k, sourceLocation: sourceLocation)
    #expect(routing.weights.shape == [tokens, k], sourceLocation: sourceLocation)
    for token in 0..<tokens {
      let row = chosen[token * k..<(token + 1) * k]
      #expect(Set(row).count == k, "no expert twice", sourceLocation: sourceLocation)
      #expect(row.allSatisfy { 0..<experts ~= $0 }, sourceLocation: sourceLocation)
    }
  case .byExpert(let chosen):
    #expect(chosen.count == experts, sourceLocation: sourceLocation)
    #expect(
      routing.weights.shape == [chosen.reduce(0) { $0 + $1.count }], sourceLocation: sourceLocation)
    for tokensOfExpert in chosen {
      #expect(
        tokensOfExpert == Set(tokensOfExpert).sorted(), "rising", sourceLocation: sourceLocation)
      #expect(tokensOfExpert.allSatisfy { 0..<tokens ~= $0 }, sourceLocation: sourceLocation)
    }
  }
  let weights = routing.weights.cast(to: .f32).array(of: Float.self)
  #expect(weights.allSatisfy { $0 >= 0 && $0.isFinite }, sourceLocation: sourceLocation)
  #expect(routing.probabilities.shape == [tokens, experts], sourceLocation: sourceLocation)
  let sums = routing.probabilities.sum(axis: 1).array(of: Float.self)
  #expect(
    sums.allSatisfy { abs($0 - 1) < 1e-5 }, "shares of each token", sourceLocation: sourceLocation)
  #expect(routing.load.total == weights.count, sourceLocation: sourceLocation)

  let again = router.route(logits, in: makeContext())
  #expect(
    again.assignments == routing.assignments, "no hidden state", sourceLocation: sourceLocation)
  expectClose(again.weights, routing.weights, .exact, sourceLocation: sourceLocation)
}

@Suite("Every router")
struct RouterLawTests {
  private static var routers: [(name: String, router: any Router)] {
    get throws {
      [
        ("softmax", try TokenChoiceRouter(k: 2, experts: 8, renormalizes: false)),
        ("renormalized", try TokenChoiceRouter(k: 3, experts: 8, renormalizes: true)),
        ("all experts", try TokenChoiceRouter(k: 8, experts: 8, renormalizes: true)),
        (
          "sigmoid",
          try TokenChoiceRouter(k: 2, experts: 8, scoring: .sigmoid, renormalizes: true, scale: 2.5)
        ),
        (
          "groups",
          try TokenChoiceRouter(
            k: 3, experts: 8, scoring: .sigmoid, renormalizes: true,
            groupLimit: .init(groups: 4, kept: 2, score: .twoLargest))
        ),
        ("expert choice", try ExpertChoiceRouter(capacityFactor: 2, experts: 8)),
        ("noisy", try NoisyTopKRouter(k: 2, experts: 8)),
        ("random", try UniformRandomRouter(k: 3, experts: 8)),
      ]
    }
  }

  @Test("obeys the laws", arguments: [0, 1, 2, 7, 64])
  func laws(tokens: Int) throws {
    for (_, router) in try Self.routers {
      let columns = router.gateColumns(experts: 8)
      let source = RandomSource(seed: UInt64(tokens))
      for logits in [
        source.normal([tokens, columns]), source.normal([tokens, columns], dtype: .bf16),
        Tensor.zeros([tokens, columns]), source.normal([tokens, columns], standardDeviation: 100),
      ] {
        checkLaws(of: router, on: logits) { RoutingContext(random: RandomSource(seed: 5)) }
        checkLaws(of: router, on: logits) { RoutingContext() }
      }
    }
  }
}
