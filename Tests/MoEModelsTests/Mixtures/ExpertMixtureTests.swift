import Foundation
import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import Testing

/// The guarantees of a head with experts of different kinds.
@Suite("Experts of different kinds under one gate")
struct ExpertMixtureTests {
  private static let kinds: [[ExpertKind]] = [
    [.feedForward, .recurrent], [.feedForward, .feedForward], [.recurrent, .recurrent],
    [.recurrent, .feedForward, .recurrent, .feedForward, .feedForward], [.feedForward],
  ]

  private static func mixture(
    _ kinds: [ExpertKind] = [.feedForward, .recurrent],
    _ gradient: SingleExpertRouter.Gradient = .straightThrough, inputs: Int = 24, seed: UInt64 = 4
  ) throws -> ExpertMixture {
    let router = try SingleExpertRouter(temperature: 1.5, gradient: gradient)
    let configuration = MixtureConfiguration(
      experts: kinds, inputs: inputs, width: 16, expertSize: 8, outputs: 3, router: router)
    return try ExpertMixture(configuration, weights: RandomWeights(RandomSource(seed: seed)))
  }

  private static func views(_ samples: Int, seed: UInt64 = 9, inputs: Int = 24) -> InputViews {
    let source = RandomSource(seed: seed)
    let lengths = (0..<samples).map { $0 % 5 + 2 }
    let rows = source.normal([lengths.reduce(0, +), inputs], standardDeviation: 3)
    let sequence = PackedRows(rows: rows, lengths: lengths)
    return InputViews(pooled: rows.selecting(Tensor(sequence.starts)), sequence: sequence)
  }

  private static func chosen(_ routing: Routing) -> [Int] { routing.assignments.map { $0[1] } }

  @Test("gives outputs, choices and weights of the right shapes", arguments: kinds)
  func shapes(kinds: [ExpertKind]) throws {
    let output = try Self.mixture(kinds)(Self.views(20))
    #expect(output.answers.shape == [20, 3])
    #expect(output.routing.probabilities.shape == [20, kinds.count])
    #expect(Self.chosen(output.routing).count == 20)
    #expect(output.answers.isFinite().all())
  }

  @Test(
    "lets only pooled vectors reach the gate and pooled experts, and order reach recurrent ones")
  func isolation() throws {
    let mixture = try Self.mixture()
    let views = Self.views(30)
    let before = mixture(views)
    let lengths = views.sequence.lengths
    // Every row but the first of each sample changes.
    var isFirst = [Float](repeating: 0, count: views.sequence.rows.size(0))
    for start in views.sequence.starts { isFirst[start] = 1 }
    let mask = Tensor(isFirst).expandingAxis(1)
    let noise = RandomSource(seed: 2).normal(views.sequence.rows.shape)
    let changed = InputViews(
      pooled: views.pooled,
      sequence: PackedRows(
        rows: views.sequence.rows * mask + noise * (1.0 - mask), lengths: lengths))
    let after = mixture(changed)
    expectClose(after.routing.probabilities, before.routing.probabilities, .exact)
    let chosen = Self.chosen(before.routing)
    #expect(Set(chosen) == [0, 1], "both experts are needed for this test")
    // Rows in another order within each sample.
    let turned = zip(views.sequence.starts, lengths).flatMap { start, length in
      [start] + (start + 1..<start + length).reversed()
    }
    let reordered = mixture(
      InputViews(
        pooled: views.pooled,
        sequence: PackedRows(
          rows: views.sequence.rows.selecting(Tensor(turned)), lengths: lengths)))
    for (sample, expert) in chosen.enumerated() {
      func differs(_ output: MixedLayer.Output) -> Bool {
        output.answers[sample].array(of: Float.self)
          != before.answers[sample].array(of: Float.self)
      }
      #expect(differs(after) == (expert == 1))
      if expert == 0 { #expect(!differs(reordered)) }
      if expert == 1, lengths[sample] > 2 { #expect(differs(reordered)) }
    }
  }

  /// Counts the samples that it sees.
  private final class CountedExpert: Expert {
    let view: InputView
    var samples = 0
    var calls = 0
    init(_ view: InputView) { self.view = view }

    func callAsFunction(_ input: ExpertInput, as arithmetic: Arithmetic?) -> Tensor {
      calls += 1
      let count =
        switch input {
        case .pooled(let x): x.size(0)
        case .sequence(let x): x.lengths.count
        }
      samples += count
      return Tensor.ones([count, 2])
    }
  }

  @Test("calls only the chosen expert of each sample")
  func calls() throws {
    let experts = [CountedExpert(.pooled), CountedExpert(.sequence), CountedExpert(.pooled)]
    let source = RandomSource(seed: 3)
    func linear(_ outputs: Int, _ inputs: Int) -> Linear {
      Linear(weight: Parameter(source.normal([outputs, inputs])))
    }
    // The third expert's column is far below the others.
    let bias = Parameter(Tensor([0, 0, -1e4] as [Float]))
    let layer = MixedLayer(
      pooledProjection: linear(8, 24), sequenceProjection: linear(8, 24),
      gate: Linear(weight: linear(3, 8).weight, bias: bias),
      experts: ExpertBanks.standard.bank(of: experts, outputs: 2))
    let output = layer(Self.views(40), router: try SingleExpertRouter())
    #expect(experts.map(\.samples) == output.routing.load.tokens)
    #expect(experts.map(\.samples).reduce(0, +) == 40)
    #expect(experts.map(\.calls) == [1, 1, 0])
    #expect(output.answers.array(of: Float.self).allSatisfy { $0 == 1 })
  }

  @Test("gives no gradient to an expert that no sample chose")
  func idleGradients() throws {
    let mixture = try Self.mixture()
    let bias = try #require(mixture.parameters.first { $0.name == "gate.bias" }).parameter
    bias.assign(Tensor([1e4, 0] as [Float]))
    let result = try valueAndGradients(
      of: { mixture(Self.views(10), training: true).answers.sum() },
      for: mixture.parameters.map(\.parameter))
    for (weight, gradient) in zip(mixture.parameters, result.gradients) {
      let isZero = gradient.array(of: Float.self).allSatisfy { $0 == 0 }
      if weight.name.hasPrefix("experts.1.") || weight.name.hasPrefix("projections.sequence") {
        #expect(isZero, "\(weight.name)")
      }
      if weight.name.hasPrefix("experts.0.") { #expect(!isZero, "\(weight.name)") }
    }
  }

  @Test("gives the chosen expert's output, bit for bit, under a straight-through gate")
  func exactForward() throws {
    let (straight, hard) = (
      try Self.mixture(), try Self.mixture([.feedForward, .recurrent], .hard)
    )
    let views = Self.views(25)
    expectClose(straight(views, training: true).answers, hard(views).answers, .exact)
  }

  @Test("gives a hard gate no gradient without auxiliary losses")
  func hardGate() throws {
    for (gradient, learns) in [(SingleExpertRouter.Gradient.hard, false), (.straightThrough, true)]
    {
      let mixture = try Self.mixture([.feedForward, .recurrent], gradient)
      let result = try valueAndGradients(
        of: { mixture(Self.views(10), training: true).answers.pow(2).sum() },
        for: mixture.parameters.filter { $0.name.hasPrefix("gate.") }.map(\.parameter))
      let isZero = result.gradients.allSatisfy {
        $0.array(of: Float.self).allSatisfy { $0 == 0 }
      }
      #expect(isZero != learns)
    }
  }

  @Test("does not depend on the other samples of a batch")
  func batches() throws {
    for kinds in Self.kinds {
      let mixture = try Self.mixture(kinds)
      let views = Self.views(12)
      let whole = mixture(views).answers
      for sample in 0..<12 {
        let alone = InputViews(
          pooled: views.pooled[sample..<sample + 1], sequence: views.sequence.selecting([sample]))
        expectClose(mixture(alone).answers[0], whole[sample], .sums)
      }
    }
  }

  @Test(
    "has the released model's parameter counts, and the same initialization whatever the experts")
  func weights() throws {
    func mixture(_ kinds: [ExpertKind]) throws -> ExpertMixture {
      try ExpertMixture(
        MixtureConfiguration(
          experts: kinds, inputs: 768, outputs: 4, router: SingleExpertRouter(temperature: 1.5)),
        weights: RandomWeights(RandomSource(seed: 1)))
    }
    func count(_ mixture: ExpertMixture, _ prefix: String) -> Int {
      mixture.parameters.filter { $0.name.hasPrefix(prefix) }.reduce(0) {
        $0 + $1.parameter.value.count
      }
    }
    let hecto = try mixture([.feedForward, .recurrent])
    #expect(count(hecto, "experts.0.") == 33_412)
    #expect(count(hecto, "experts.1.") == 148_740)
    #expect(count(hecto, "experts.1.gru.") == 148_224)
    #expect(count(hecto, "gate.") == 514)
    #expect(count(hecto, "projections.pooled.") == 196_864)
    let (forward, recurrent) = (
      try mixture([.feedForward, .feedForward]), try mixture([.recurrent, .recurrent])
    )
    #expect(count(recurrent, "") - count(forward, "") == 230_656)
    for other in [forward, recurrent] {
      for (mine, theirs) in zip(hecto.parameters, other.parameters)
      where !mine.name.hasPrefix("experts.") {
        #expect(mine.name == theirs.name)
        expectClose(mine.parameter.value, theirs.parameter.value, .exact, mine.name)
      }
    }
  }

  @Test(
    "keeps its outputs when experts of one kind are swapped together with the gate's rows",
    arguments: [ExpertKind.feedForward, .recurrent])
  func exchange(kind: ExpertKind) throws {
    let mixture = try Self.mixture([kind, kind])
    let views = Self.views(20)
    let before = mixture(views)
    let named = Dictionary(
      uniqueKeysWithValues: mixture.parameters.map { ($0.name, $0.parameter) })
    for (name, parameter) in named where name.hasPrefix("experts.0.") {
      let other = try #require(named["experts.1." + name.dropFirst("experts.0.".count)])
      let value = parameter.value.copied()
      parameter.assign(other.value)
      other.assign(value)
    }
    for name in ["gate.weight", "gate.bias"] {
      let gate = try #require(named[name])
      gate.assign(gate.value.reversed(axis: 0))
    }
    let after = mixture(views)
    expectClose(after.answers, before.answers, .sums)
    #expect(Self.chosen(after.routing) == Self.chosen(before.routing).map { 1 - $0 })
  }

  @Test("sees views after dropout with unchanged means, and the same ones for the same seed")
  func dropout() {
    let views = InputViews(
      pooled: Tensor.ones([50, 40]),
      sequence: PackedRows(rows: Tensor.ones([100, 40]), lengths: Array(repeating: 2, count: 50)))
    let thin = views.dropping(0.25, random: RandomSource(seed: 1))
    for x in [thin.pooled, thin.sequence.rows] {
      let values = x.array(of: Float.self)
      #expect(values.allSatisfy { $0 == 0 || abs($0 - 4 / 3) < 1e-6 })
      #expect(abs(x.mean().item(as: Float.self) - 1) < 0.1)
    }
    let again = views.dropping(0.25, random: RandomSource(seed: 1))
    expectClose(again.sequence.rows, thin.sequence.rows, .exact)
    expectClose(views.dropping(0, random: RandomSource(seed: 1)).pooled, views.pooled, .exact)
  }

  @Test("has an entropy between 0 and ln 2")
  func entropy() throws {
    let routing = try Self.mixture()(Self.views(50)).routing
    let entropy: Float = RoutingLosses.entropy(probabilities: routing.probabilities).item()
    #expect(entropy > 0 && entropy <= Float(log(2.0)))
  }
}
