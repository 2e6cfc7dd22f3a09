import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import Testing

@Suite("One expert per sample")
struct SingleExpertRouterTests {
  private let source = RandomSource(seed: 8)

  @Test("obeys the laws of routers", arguments: SingleExpertRouter.Gradient.allCases)
  func laws(gradient: SingleExpertRouter.Gradient) throws {
    let router = try SingleExpertRouter(temperature: 1.5, gradient: gradient)
    for tokens in [0, 1, 7, 64] {
      checkLaws(of: router, on: source.normal([tokens, 3])) { RoutingContext() }
    }
  }

  @Test(
    "does not change when a constant is added to the logits; temperature raises only the entropy")
  func temperature() throws {
    let logits = source.normal([40, 3])
    let cold = try SingleExpertRouter(temperature: 0.7).route(logits)
    let hot = try SingleExpertRouter(temperature: 3).route(logits)
    let shifted = try SingleExpertRouter(temperature: 0.7).route(logits + 5.0)
    expectClose(shifted.probabilities, cold.probabilities, .sums)
    #expect(cold.assignments == hot.assignments)
    func entropy(_ routing: Routing) -> Float {
      RoutingLosses.entropy(probabilities: routing.probabilities).item()
    }
    #expect(entropy(hot) > entropy(cold))
    #expect(throws: SettingError.self) { try SingleExpertRouter(temperature: 0) }
    #expect(throws: SettingError.self) { try SingleExpertRouter(temperature: .nan) }
  }

  /// The loss of outputs y = Σ weight · E under a random linear loss, and its gradient with respect
  /// to the logits.
  private func gradient(
    _ gradient: SingleExpertRouter.Gradient, temperature: Double, _ logits: Tensor,
    _ answers: Tensor, _ slope: Tensor
  ) throws -> (weights: Tensor, gradient: Tensor) {
    let router = try SingleExpertRouter(temperature: temperature, gradient: gradient)
    var weights = Tensor(0 as Float)
    let result = try valueAndGradients(
      of: {
        let routing = router.route(logits)
        weights = routing.weights.detached()
        let y = Dispatch(routing).run(answerWidth: 5) { expert, samples in
          answers.at(expert, axis: 1).selecting(Tensor(samples))
        }
        return (y * slope).sum()
      }, for: [logits])
    return (weights, result.gradients[0])
  }

  @Test("gives the gate the closed-form gradient, with weights of exactly one")
  func straightThrough() throws {
    let (samples, experts, temperature) = (12, 3, 1.5)
    let logits = source.normal([samples, experts])
    let answers = source.normal([samples, experts, 5])
    let slope = source.normal([samples, 5])
    let found = try gradient(
      .straightThrough, temperature: temperature, logits, answers, slope)
    #expect(found.weights.array(of: Float.self).allSatisfy { $0 == 1 })
    // ⟨∂L/∂y, E_k⟩ · p_k · (1[j = k] − p_j) / temperature
    let p = (logits.cast(to: .f64) * (1 / temperature)).softmax(axis: 1).array(of: Double.self)
    let (e, s) = (answers.array(of: Float.self), slope.array(of: Float.self))
    let g = found.gradient.array(of: Float.self)
    for sample in 0..<samples {
      let row = Array(p[sample * experts..<(sample + 1) * experts])
      let k = row.indices.max { row[$0] < row[$1] } ?? 0
      var product = 0.0
      for i in 0..<5 {
        product += Double(s[sample * 5 + i]) * Double(e[(sample * experts + k) * 5 + i])
      }
      for j in 0..<experts {
        let expected = product * row[k] * ((j == k ? 1 : 0) - row[j]) / temperature
        #expect(Tolerance.sums.allows(Double(g[sample * experts + j]), for: expected))
      }
    }
  }

  @Test("gives a scaled gate the same gradient, a hard one none, and mixes all experts when soft")
  func otherGradients() throws {
    let logits = source.normal([6, 2])
    let (answers, slope) = (source.normal([6, 2, 5]), source.normal([6, 5]))
    let straight = try gradient(.straightThrough, temperature: 2, logits, answers, slope)
    let scaled = try gradient(.scaled, temperature: 2, logits, answers, slope)
    expectClose(scaled.gradient, straight.gradient, .sums)
    #expect(scaled.weights.array(of: Float.self).allSatisfy { 0.5...1 ~= $0 })
    let hard = try gradient(.hard, temperature: 2, logits, answers, slope)
    #expect(hard.gradient.array(of: Float.self).allSatisfy { $0 == 0 })

    let router = try SingleExpertRouter(temperature: 2, gradient: .soft)
    let mixed = Dispatch(router.route(logits)).run(answerWidth: 5) { expert, samples in
      answers.at(expert, axis: 1).selecting(Tensor(samples))
    }
    let p = (logits * 0.5).softmax(axis: 1).expandingAxis(2)
    expectClose(mixed, (p * answers).sum(axis: 1), .sums)
    #expect(router.forInference.gradient == .hard)
    #expect(router.forInference.route(logits).load.total == 6)
  }

  @Test("has a balance term of 0 when even, E − 1 in collapse, and without slope when even")
  func unevenness() throws {
    func term(_ p: [Float], _ samples: Int) -> Float {
      RoutingLosses.unevenness(probabilities: Tensor(p, shape: [samples, 2])).item()
    }
    #expect(term([0.5, 0.5], 1) == 0)
    #expect(term([1, 0, 0, 1], 2) == 0)
    #expect(term([1, 0, 1, 0], 2) == 1)
    #expect(RoutingLosses.unevenness(probabilities: Tensor.zeros([0, 2])).item() == 0 as Float)
    // Each sample is certain of another expert: the mean is even, so no logit matters.
    let logits = Tensor([1, -1, -1, 1] as [Float], shape: [2, 2])
    let slope = try valueAndGradients(
      of: { RoutingLosses.unevenness(probabilities: logits.softmax(axis: 1)) }, for: [logits])
    #expect(slope.gradients[0].array(of: Float.self).allSatisfy { abs($0) < 1e-7 })
  }
}
