import Foundation
import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import Testing

@Suite("The routing contrastive loss")
struct ContrastiveLossTests {
  private let temperature = 0.07

  private func loss(_ tokens: Tensor, _ prototypes: Tensor, _ assigned: [[Int]]) -> Double {
    Double(
      RoutingLosses.contrastive(
        tokens: tokens, prototypes: prototypes, assigned: assigned, temperature: temperature
      ).item(as: Float.self))
  }

  private func close(_ value: Double, _ expected: Double) -> Bool {
    abs(value - expected) <= 1e-5 * expected + 1e-8
  }

  @Test("is the logarithm of the number of experts if they are indistinguishable")
  func ties() {
    let random = RandomSource(seed: 1)
    let tokens = random.normal([24, 16])
    let assigned = (0..<12).map { [$0, $0 + 12] }
    // Prototypes that are all alike, equally far from all means; elsewhere the loss is larger.
    let axes = Tensor.identity(12)
    let same = Tensor.ones([12, 12])
    #expect(close(loss(axes, same, (0..<12).map { [$0] }), log(12)))
    #expect(loss(tokens, Tensor.ones([12, 16]), assigned) > log(12))
    let prototypes = random.normal([12, 16])
    let alike = Tensor.ones([24, 1]).matmul(random.normal([1, 16]))
    #expect(close(loss(alike, prototypes, assigned), log(12)))
  }

  @Test("is nearly 0 for prototypes at the means of their tokens, and bounded")
  func extremes() {
    let axes = Tensor.identity(12)
    let own = (0..<12).map { [$0] }
    let expected = log1p(11 * exp(-1 / temperature))
    #expect(abs(expected - 6.87e-6) < 1e-8)
    #expect(abs(loss(axes, axes, own) - expected) < 2e-7)
    // Every prototype opposite to its own tokens and along the others': the bound is not reached, but nearly.
    let two = Tensor([1, -1] as [Float], shape: [2, 1])
    #expect(close(loss(two, -two, [[0], [1]]), log1p(exp(2 / temperature))))
  }

  @Test("leaves experts without tokens out, as rows and as columns")
  func inactive() throws {
    let random = RandomSource(seed: 2)
    let (tokens, prototypes) = (random.normal([6, 8]), random.normal([4, 8]))
    let some = loss(tokens, prototypes, [[0, 1], [], [2, 3, 4, 5], []])
    let only = loss(
      tokens, Tensor.stacked([prototypes[0], prototypes[2]]), [[0, 1], [2, 3, 4, 5]])
    #expect(some == only)
    #expect(loss(tokens, prototypes, [[0, 1, 2], [], [], []]) == 0)
    #expect(loss(tokens, prototypes, [[], [], [], []]) == 0)
    let found = try valueAndGradients(
      of: {
        RoutingLosses.contrastive(
          tokens: tokens, prototypes: prototypes, assigned: [[0, 1, 2], [], [], []],
          temperature: temperature)
      }, for: [tokens, prototypes])
    #expect(found.gradients.allSatisfy { !($0 .!= 0).any() })
  }

  @Test("counts a token for every expert that it chose, and takes the mean of raw tokens")
  func plain() {
    let random = RandomSource(seed: 3)
    let (tokens, prototypes) = (random.normal([5, 4]), random.normal([3, 4]))
    let assigned = [[0, 1, 2], [1, 3], [0, 4]]
    let x = (0..<5).map { tokens[$0].array(of: Float.self).map(Double.init) }
    let p = (0..<3).map { prototypes[$0].array(of: Float.self).map(Double.init) }
    let means = assigned.map { rows in
      (0..<4).map { axis in rows.reduce(0) { $0 + x[$1][axis] } / Double(rows.count) }
    }
    func cosine(_ a: [Double], _ b: [Double]) -> Double {
      func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
      return dot(a, b) / (dot(a, a) * dot(b, b)).squareRoot()
    }
    let rows = (0..<3).map { i in
      let logits = means.map { exp(cosine(p[i], $0) / temperature) }
      return -log(logits[i] / logits.reduce(0, +))
    }
    #expect(close(loss(tokens, prototypes, assigned), rows.reduce(0, +) / 3))
  }

  @Test("pulls a prototype less the longer it is")
  func length() throws {
    let random = RandomSource(seed: 4)
    let (tokens, prototypes) = (random.normal([9, 8]), random.normal([3, 8]))
    let assigned = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    func gradient(_ factor: Double) throws -> Tensor {
      let scaled = prototypes * factor
      return try valueAndGradients(
        of: {
          RoutingLosses.contrastive(
            tokens: tokens, prototypes: scaled, assigned: assigned, temperature: temperature)
        }, for: [scaled]
      ).gradients[0]
    }
    expectClose(try gradient(4) * 4, try gradient(1), Tolerance(relative: 1e-4, absolute: 1e-6))
  }

  @Test("follows routers that choose by similarity, each with its score")
  func routers() throws {
    let random = RandomSource(seed: 6)
    let cosines = Prototypes.scores(of: random.normal([8, 4]), prototypes: random.normal([3, 4]))
    let context = RoutingContext(sequenceLengths: [4, 4])
    for scoring in ExpertChoiceRouter.Scoring.allCases {
      let router = try ExpertChoiceRouter(capacityFactor: 1.5, experts: 3, scoring: scoring)
      let routing = router.route(cosines, in: context)
      #expect(routing.load.tokens == [4, 4, 4])
      let scores: Tensor =
        switch scoring {
        case .identity: cosines
        case .sigmoid: cosines.sigmoid()
        case .softmax: cosines.softmax(axis: 1)
        case .softmaxOverTokens: cosines.reshaped([2, 4, 3]).softmax(axis: 1).reshaped([8, 3])
        }
      let all = scores.array(of: Float.self)
      for (pair, weight) in zip(routing.assignments, routing.weights.array(of: Float.self)) {
        #expect(abs(all[pair[0] * 3 + pair[1]] - weight) < 1e-6, "\(scoring)")
      }
      // A batch in which every image lacks its label leaves nothing to choose.
      let none = router.route(Tensor.zeros([0, 3]), in: RoutingContext(sequenceLengths: []))
      #expect(none.load.tokens == [0, 0, 0])
    }
  }

  @Test("of groups is the mean of theirs")
  func groups() {
    let random = RandomSource(seed: 5)
    let (tokens, prototypes) = (random.normal([2, 6, 8]), random.normal([3, 8]))
    let assigned = [[0, 1], [2, 3], [4, 5]]
    let single = (0..<2).map { loss(tokens[$0], prototypes, assigned) }
    let means = tokens.reshaped([2, 3, 2, 8]).mean(axis: 2)
    let both = RoutingLosses.contrastive(
      means: means, prototypes: prototypes, temperature: temperature)
    #expect(close(Double(both.item(as: Float.self)), (single[0] + single[1]) / 2))
  }
}
