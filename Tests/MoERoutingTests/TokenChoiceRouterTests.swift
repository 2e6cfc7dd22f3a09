import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import Testing

@Suite("Token choice")
struct TokenChoiceRouterTests {
  private func chosen(_ routing: Routing) -> [Int] {
    if case .byToken(let experts, _) = routing.choice { experts } else { [] }
  }

  @Test("takes the best experts, best first, and ties in order")
  func order() throws {
    let logits = Tensor([0, 3, 1, 2, 5, 5, 5, 5, 1, 7, 7, 0] as [Float], shape: [3, 4])
    let routing = try TokenChoiceRouter(k: 2, experts: 4, renormalizes: false).route(logits)
    #expect(chosen(routing) == [1, 3, 0, 1, 1, 2])
  }

  @Test("weights by the softmax over all experts, or over the chosen")
  func weights() throws {
    // exp of the logits: 1, 2, 4, 1
    let logits = Tensor([0, 0.6931472, 1.3862944, 0] as [Float], shape: [1, 4])
    let plain = try TokenChoiceRouter(k: 2, experts: 4, renormalizes: false).route(logits)
    expectClose(plain.weights, Tensor([0.5, 0.25] as [Float], shape: [1, 2]), .sameKernels)
    let renormalized = try TokenChoiceRouter(k: 2, experts: 4, renormalizes: true).route(logits)
    expectClose(
      renormalized.weights, Tensor([2.0 / 3, 1.0 / 3] as [Float], shape: [1, 2]), .sameKernels)
    let chosen = Tensor([1.3862944, 0.6931472] as [Float], shape: [1, 2]).softmax(axis: 1)
    expectClose(renormalized.weights, chosen, .sameKernels)
  }

  @Test("with a selection bias chooses by score and bias but weights by score")
  func selectionBias() throws {
    let logits = Tensor([2, 1, 0, -1] as [Float], shape: [1, 4])
    let router = try TokenChoiceRouter(k: 2, experts: 4, scoring: .sigmoid, renormalizes: false)
    let bias = Tensor([-1, 0, 0, 1] as [Float])
    let routing = router.route(logits, in: RoutingContext(selectionBias: bias))
    #expect(chosen(routing) == [3, 1])
    let expected = Tensor([-1, 1] as [Float], shape: [1, 2]).sigmoid()
    expectClose(routing.weights, expected, .sameKernels)
  }

  @Test("renormalizes and scales sigmoid scores as DeepSeek-V3 does")
  func sigmoid() throws {
    let router = try TokenChoiceRouter(
      k: 2, experts: 3, scoring: .sigmoid, renormalizes: true, scale: 2.5)
    let routing = router.route(Tensor([0, 100, 0] as [Float], shape: [1, 3]))
    #expect(chosen(routing) == [1, 0])
    expectClose(
      routing.weights, Tensor([2.5 / 1.5, 1.25 / 1.5] as [Float], shape: [1, 2]), .sameKernels)
  }

  @Test("limited to groups searches only the best groups")
  func groups() throws {
    // Groups of two; the best expert overall is in the group with the smallest sum of its two
    // largest.
    let logits = Tensor([9, -9, 2, 2, 1, 3] as [Float], shape: [1, 6])
    func route(_ score: TokenChoiceRouter.GroupLimit.Score) throws -> [Int] {
      chosen(
        try TokenChoiceRouter(
          k: 2, experts: 6, scoring: .sigmoid, renormalizes: false,
          groupLimit: .init(groups: 3, kept: 1, score: score)
        ).route(logits))
    }
    #expect(try route(.largest) == [0, 1])
    #expect(try route(.twoLargest) == [2, 3])
  }

  @Test("passes gradients to the gate through the weights")
  func gradients() throws {
    let logits = Tensor([0.3, -0.2, 0.9] as [Double], shape: [1, 3])
    let router = try TokenChoiceRouter(k: 1, experts: 3, renormalizes: false)
    let gradient = try valueAndGradients(of: { router.route(logits).weights.sum() }, for: [logits])
      .gradients[0]
    // d p₂ / d logit = p₂ (δ − p)
    let p = logits.softmax(axis: 1).array(of: Double.self)
    let expected = (0..<3).map { p[2] * (($0 == 2 ? 1 : 0) - p[$0]) }
    expectClose(gradient, Tensor(expected, shape: [1, 3]), .sameKernels)
    let fixed = try TokenChoiceRouter(k: 1, experts: 3, renormalizes: true)
    let none = try valueAndGradients(of: { fixed.route(logits).weights.sum() }, for: [logits])
      .gradients[0]
    #expect(none.abs().max(axis: 1).item(as: Double.self) < 1e-7)
  }

  @Test("is the slow reference on random scores", arguments: 0..<20)
  func reference(seed: UInt64) throws {
    let experts = 16
    let scores = RandomSource(seed: seed).integers([32, experts], in: 0..<6).cast(to: .f32)
    let router = try TokenChoiceRouter(k: 5, experts: experts, renormalizes: false)
    let rows = scores.array(of: Float.self)
    let expected = (0..<32).flatMap { row in
      // Sorting pairs of score and index breaks ties towards the lower index.
      (0..<experts).sorted { (-rows[row * experts + $0], $0) < (-rows[row * experts + $1], $1) }
        .prefix(5)
    }
    #expect(chosen(router.route(scores)) == expected)
  }

  @Test("survives NaN scores")
  func notANumber() throws {
    let logits = Tensor([.nan, 1, 2, .nan, .nan, .nan] as [Float], shape: [2, 3])
    let routing = try TokenChoiceRouter(k: 2, experts: 3, renormalizes: false).route(logits)
    #expect(chosen(routing).allSatisfy { 0..<3 ~= $0 })
    #expect(Set(chosen(routing)[0..<2]).count == 2 && Set(chosen(routing)[2..<4]).count == 2)
  }

  @Test("refuses options that do not fit")
  func refuses() {
    typealias Limit = TokenChoiceRouter.GroupLimit
    for (k, experts, scale, limit) in [
      (0, 4, 1.0, nil), (5, 4, 1, nil), (1, 0, 1, nil), (1, 4, 0, nil), (1, 4, .infinity, nil),
      (1, 4, 1, Limit(groups: 3, kept: 1, score: .largest)),
      (1, 4, 1, Limit(groups: 0, kept: 1, score: .largest)),
      (1, 4, 1, Limit(groups: 2, kept: 3, score: .largest)),
      (3, 4, 1, Limit(groups: 2, kept: 1, score: .largest)),
      (1, 4, 1, Limit(groups: 4, kept: 1, score: .twoLargest)),
    ] as [(Int, Int, Double, Limit?)] {
      #expect(throws: SettingError.self) {
        try TokenChoiceRouter(
          k: k, experts: experts, renormalizes: true, scale: scale, groupLimit: limit)
      }
    }
  }
}

@Suite("Expert choice")
struct ExpertChoiceRouterTests {
  @Test("gives every expert its best tokens of each sequence")
  func literal() throws {
    // Two sequences of 4 and 2 tokens, two experts; capacity 2 and 1.
    let logits = Tensor([9, 0, 0, 9, 5, 0, 0, 5, 0, 1, 1, 0] as [Float], shape: [6, 2])
    let router = try ExpertChoiceRouter(capacityFactor: 1, experts: 2)
    let routing = router.route(logits, in: RoutingContext(sequenceLengths: [4, 2]))
    guard case .byExpert(let tokens) = routing.choice else { return #expect(Bool(false)) }
    #expect(tokens == [[0, 2, 5], [1, 3, 4]])
    let scores = logits.softmax(axis: 1).array(of: Float.self)
    let expected = [scores[0], scores[4], scores[10], scores[3], scores[7], scores[9]]
    expectClose(routing.weights, Tensor(expected), .exact)
    #expect(routing.load.imbalance == 1)
  }

  @Test("keeps sequences apart")
  func isolation() throws {
    let source = RandomSource(seed: 1)
    let (first, second) = (source.normal([6, 4]), source.normal([10, 4]))
    let router = try ExpertChoiceRouter(capacityFactor: 2, experts: 4)
    let both = router.route(
      Tensor.concatenated([first, second], axis: 0), in: RoutingContext(sequenceLengths: [6, 10]))
    let alone = router.route(first)
    guard case .byExpert(let tokens) = both.choice, case .byExpert(let expected) = alone.choice
    else { return #expect(Bool(false)) }
    #expect(tokens.map { $0.filter { $0 < 6 } } == expected)
  }

  @Test(
    "has the capacity of its definition",
    arguments: [
      (64, 8, 2.0, 16), (10, 4, 1.0, 2), (3, 8, 1.0, 1), (0, 8, 1.0, 0), (5, 2, 2.0, 5),
    ])
  func capacity(tokens: Int, experts: Int, factor: Double, expected: Int) throws {
    let router = try ExpertChoiceRouter(capacityFactor: factor, experts: experts)
    #expect(router.capacity(tokens: tokens, experts: experts) == expected)
  }

  @Test("refuses factors that do not fit", arguments: [0, -1, 9, .nan, .infinity])
  func refuses(factor: Double) {
    #expect(throws: SettingError.self) {
      try ExpertChoiceRouter(capacityFactor: factor, experts: 8)
    }
  }
}

@Suite("Noisy and random routing")
struct NoisyRoutingTests {
  @Test("without a random source is plain top-k")
  func noiseless() throws {
    let logits = RandomSource(seed: 2).normal([9, 12])
    let noisy = try NoisyTopKRouter(k: 2, experts: 6).route(logits)
    let plain = try TokenChoiceRouter(k: 2, experts: 6, renormalizes: true)
      .route(logits.slice(axis: 1, 0..<6))
    #expect(noisy.assignments == plain.assignments)
    expectClose(noisy.weights, plain.weights, .sameKernels)
  }

  @Test("adds as much noise as the gate requests")
  func noise() throws {
    // Very negative noise logits mean no noise, large ones much of it.
    let clean = RandomSource(seed: 3).normal([200, 4])
    func route(_ level: Double) throws -> [[Int]] {
      let logits = Tensor.concatenated([clean, Tensor.full(level, [200, 4])], axis: 1)
      return try NoisyTopKRouter(k: 1, experts: 4)
        .route(logits, in: RoutingContext(random: RandomSource(seed: 4))).assignments
    }
    let plain = try NoisyTopKRouter(k: 1, experts: 4)
      .route(Tensor.concatenated([clean, clean], axis: 1)).assignments
    #expect(try route(-100) == plain)
    let moved = zip(try route(100), plain).count { $0 != $1 }
    // With noise a hundred times the logits the choice is random: three of four tokens move.
    #expect(120...180 ~= moved)
  }

  @Test("at random spreads tokens evenly")
  func uniform() throws {
    let routing = try UniformRandomRouter(k: 2, experts: 8)
      .route(Tensor.zeros([20_000, 8]), in: RoutingContext(random: RandomSource(seed: 6)))
    // Five standard deviations of a binomial count with p = 1/4.
    for count in routing.load.tokens { #expect(abs(count - 5000) < 307) }
    expectClose(routing.weights, Tensor.full(0.5, [20_000, 2]), .exact)
  }

  @Test("rejects impossible numbers of experts")
  func refuses() {
    #expect(throws: SettingError.self) { try NoisyTopKRouter(k: 5, experts: 4) }
    #expect(throws: SettingError.self) { try UniformRandomRouter(k: 0, experts: 4) }
  }
}
