import SystemPackage
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
        tokensOfExpert == Set(tokensOfExpert).sorted(), "ascending", sourceLocation: sourceLocation)
      #expect(tokensOfExpert.allSatisfy { 0..<tokens ~= $0 }, sourceLocation: sourceLocation)
    }
  }
  let weights = routing.weights.cast(to: .f32).array(of: Float.self)
  #expect(
    weights.allSatisfy { ($0 >= 0 || router.hasNegativeWeights) && $0.isFinite },
    sourceLocation: sourceLocation)
  #expect(routing.probabilities.shape == [tokens, experts], sourceLocation: sourceLocation)
  let sums = routing.probabilities.sum(axis: 1).array(of: Float.self)
  #expect(
    sums.allSatisfy { abs($0 - 1) < 1e-5 }, "weights of each token", sourceLocation: sourceLocation)
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
        (
          "biased",
          try TokenChoiceRouter(k: 2, experts: 8, renormalizes: true, usesSelectionBias: true)
        ),
      ]
        + (try ExpertChoiceRouter.Scoring.allCases.map {
          (
            "expert choice, \($0)",
            try ExpertChoiceRouter(capacityFactor: 1.5, experts: 8, scoring: $0)
          )
        })
        + (try PrototypeRouter.Scoring.allCases.map {
          ("prototypes, \($0)", try PrototypeRouter(k: 2, experts: 8, scoring: $0))
        })
        + (try SingleExpertRouter.Gradient.allCases.map {
          ("single, \($0)", try SingleExpertRouter(temperature: 1.5, gradient: $0))
        })
    }
  }

  @Test("states correctly how many experts a token has")
  func expertsPerToken() throws {
    for (name, router) in try Self.routers {
      let logits = RandomSource(seed: 2).normal([64, router.gateColumns(experts: 8)])
      let found = Double(router.route(logits).load.total) / 64
      #expect(found == router.expertsPerToken(experts: 8), "\(name)")
    }
  }

  @Test("states correctly whether later tokens matter, and whether random numbers do")
  func dependence() throws {
    for (name, router) in try Self.routers {
      let logits = RandomSource(seed: 3).normal([64, router.gateColumns(experts: 8)])
      let whole = router.route(logits).assignments.filter { $0[0] < 16 }
      let prefix = router.route(logits[0..<16]).assignments
      if !router.seesFuture { #expect(Set(whole) == Set(prefix), "\(name)") }
      if router.seesFuture { #expect(Set(whole) != Set(prefix), "\(name)") }
      let drawn = (1...2).map {
        router.route(logits, in: RoutingContext(random: RandomSource(seed: $0))).assignments
      }
      #expect((drawn[0] != drawn[1]) == router.drawsRandomNumbers, "\(name)")
    }
  }

  @Test("states correctly whether it follows a selection bias")
  func selectionBias() throws {
    var bias = [Float](repeating: 0, count: 8)
    bias[5] = 100
    for (name, router) in try Self.routers where router.usesSelectionBias {
      let logits = RandomSource(seed: 4).normal([32, router.gateColumns(experts: 8)])
      let routing = router.route(logits, in: RoutingContext(selectionBias: Tensor(bias)))
      #expect(routing.load.tokens[5] == 32, "\(name)")
      let plain = router.route(logits)
      #expect(plain.load.tokens[5] < 32, "\(name)")
    }
  }

  @Test("is listed, and an unknown name lists the known ones")
  func names() throws {
    let known = ["token_choice", "expert_choice", "noisy_top_k", "uniform_random"]
    #expect(Routers.registry.names.prefix(4).elementsEqual(known))
    func router(_ text: String) throws -> any Router {
      try Routers.router(
        of: ConfigurationObject(parsing: Array(text.utf8), in: "config.json"), experts: 8)
    }
    let found = try router(
      #"{"router": {"type": "token_choice", "k": 2, "renormalize": true, "selection_bias": true}}"#)
    #expect(found.usesSelectionBias && found.expertsPerToken(experts: 8) == 2)
    let error = #expect(throws: ConfigurationError.self) {
      try router(#"{"router": {"type": "hash"}}"#)
    }
    let text = error?.description ?? ""
    #expect(text.contains("router.type is 'hash'") && known.allSatisfy(text.contains))
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
