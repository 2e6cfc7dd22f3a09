import Foundation
import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import Testing

@Suite("Routing losses")
struct RoutingLossTests {
  @Test("of balance are smallest for perfect balance, and largest for collapse")
  func balanceExtremes() {
    let even = Tensor.full(0.25, [8, 4])
    func loss(_ p: Tensor, _ tokens: [Int], _ denominator: RoutingLosses.Denominator) -> Float {
      RoutingLosses.loadBalance(
        probabilities: p, load: ExpertLoad(tokens: tokens), denominator: denominator
      )
      .item()
    }
    #expect(loss(even, [2, 2, 2, 2], .assignments) == 1)
    #expect(loss(even, [4, 4, 4, 4], .tokens) == 2)
    let collapsed = Tensor([1, 0, 0, 0] as [Float], shape: [1, 4]).expanded([8, 4])
    #expect(loss(collapsed, [8, 0, 0, 0], .assignments) == 4)
    #expect(loss(Tensor.zeros([0, 4]), [0, 0, 0, 0], .tokens) == 0)
  }

  @Test("of balance are the published formula, counted by hand")
  func balanceFormula() throws {
    let logits = RandomSource(seed: 1).normal([10, 4], dtype: .f64)
    let routing = try TokenChoiceRouter(k: 2, experts: 4, renormalizes: false).route(logits)
    let p = routing.probabilities.array(of: Float.self)
    var expected = 0.0
    for expert in 0..<4 {
      let share = Double(routing.assignments.count { $0[1] == expert }) / 10
      let mean = (0..<10).reduce(0.0) { $0 + Double(p[$1 * 4 + expert]) } / 10
      expected += 4 * share * mean
    }
    let loss = RoutingLosses.loadBalance(
      probabilities: routing.probabilities, load: routing.load, denominator: .tokens)
    #expect(abs(Double(loss.item(as: Float.self)) - expected) < 1e-5)
  }

  @Test("over micro-batches require balance of the whole")
  func globalBalance() throws {
    let source = RandomSource(seed: 2)
    let router = try TokenChoiceRouter(k: 1, experts: 3, renormalizes: false)
    let parts = [source.normal([5, 3]), source.normal([5, 3])].map { router.route($0) }
    let whole = RoutingLosses.loadBalance(
      probabilities: Tensor.concatenated(parts.map(\.probabilities), axis: 0),
      load: parts[0].load + parts[1].load, denominator: .tokens)
    let p = Tensor.concatenated(parts.map(\.probabilities), axis: 0).mean(axis: 0).array(
      of: Float.self)
    let load = (parts[0].load + parts[1].load).tokens
    let expected = (0..<3).reduce(Float(0)) { $0 + 3 * Float(load[$1]) / 10 * p[$1] }
    #expect(abs(whole.item(as: Float.self) - expected) < 1e-6)
  }

  @Test("of logits and entropy are the published formulas")
  func literal() {
    let logits = Tensor([0, 0, 1, 1] as [Float], shape: [2, 2])
    let two = log(2.0)
    let z = (two * two + (1 + two) * (1 + two)) / 2
    #expect(abs(Double(RoutingLosses.z(logits: logits).item(as: Float.self)) - z) < 1e-6)
    let even = Tensor.full(0.25, [3, 4])
    #expect(
      abs(RoutingLosses.entropy(probabilities: even).item(as: Float.self) - Float(log(4.0))) < 1e-6)
    let sure = Tensor([1, 0, 0, 1] as [Float], shape: [2, 2])
    #expect(RoutingLosses.entropy(probabilities: sure).item() == 0 as Float)
  }

  @Test("have gradients that agree with finite differences")
  func finiteDifferences() throws {
    let losses: [(Tensor) -> Tensor] = [
      { RoutingLosses.z(logits: $0) },
      { RoutingLosses.entropy(probabilities: $0.softmax(axis: 1)) },
      {
        RoutingLosses.loadBalance(
          probabilities: $0.softmax(axis: 1), load: ExpertLoad(tokens: [3, 1, 2]),
          denominator: .tokens)
      },
    ]
    let logits = RandomSource(seed: 3).normal([3, 3])
    for loss in losses {
      let gradient = try valueAndGradients(of: { loss(logits) }, for: [logits]).gradients[0]
      let differences = (0..<9).map { index -> Float in
        // The losses are f32, so the step is large and the tolerance wide.
        let step = Tensor((0..<9).map { $0 == index ? Float(1e-2) : 0 }, shape: [3, 3])
        return (loss(logits + step) - loss(logits - step)).item(as: Float.self) / 2e-2
      }
      expectClose(
        gradient, Tensor(differences, shape: [3, 3]), Tolerance(relative: 2e-2, absolute: 2e-4))
    }
  }

  @Test("of all layers combined treats layers as balanced that use one expert each")
  func pooledLayers() {
    // Both tokens of the first layer go to expert 0, both of the second to expert 1.
    let first = Tensor([1, 0, 1, 0] as [Float], shape: [2, 2])
    let second = Tensor([0, 1, 0, 1] as [Float], shape: [2, 2])
    func loss(_ probabilities: Tensor, _ tokens: [Int]) -> Float {
      RoutingLosses.loadBalance(
        probabilities: probabilities, load: ExpertLoad(tokens: tokens), denominator: .tokens
      ).item()
    }
    #expect(loss(first, [2, 0]) == 2)
    #expect(loss(second, [0, 2]) == 2)
    #expect(loss(Tensor.concatenated([first, second], axis: 0), [2, 2]) == 1)
  }

  @Test("can be replaced by a selection bias, which balances the load")
  func selectionBias() throws {
    #expect(
      SelectionBias.updated(Tensor.zeros([3]), load: ExpertLoad(tokens: [5, 3, 1]), rate: 0.5)
        .array()
        == [-0.5, 0, 0.5] as [Float])
    let router = try TokenChoiceRouter(k: 2, experts: 8, scoring: .sigmoid, renormalizes: true)
    // A gate that strongly prefers the first experts.
    let logits = RandomSource(seed: 4).normal([512, 8]) - Tensor.range(0..<8).cast(to: .f32) * 0.5
    var bias = Tensor.zeros([8])
    let before = router.route(logits).load
    for _ in 0..<600 {
      bias = SelectionBias.updated(
        bias, load: router.route(logits, in: .init(selectionBias: bias)).load, rate: 0.002)
    }
    let after = router.route(logits, in: .init(selectionBias: bias)).load
    #expect(before.imbalance > 2)
    #expect(after.imbalance < 1.1)
  }
}
