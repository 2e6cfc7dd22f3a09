import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import Testing

/// Every implementation of an expert bank, compared with a loop over tokens and experts in f64.
@Suite("Banks of experts")
struct ExpertBankTests {
  private let source = RandomSource(seed: 5)

  private struct Sizes {
    var experts = 6
    var hidden = 34
    var inner = 22
    var hasBias = false
  }

  private func experts(
    _ sizes: Sizes, _ form: FeedForward.Form, _ activation: Activation, _ dtype: DType
  ) -> [FeedForward] {
    func linear(_ outputs: Int, _ inputs: Int) -> Linear {
      Linear(
        weight: Parameter((source.normal([outputs, inputs]) * 0.3).cast(to: dtype)),
        bias: sizes.hasBias ? Parameter(source.normal([outputs]).cast(to: dtype)) : nil)
    }
    return (0..<sizes.experts).map { _ in
      FeedForward(
        gate: form == .gated ? linear(sizes.inner, sizes.hidden) : nil,
        up: linear(sizes.inner, sizes.hidden), down: linear(sizes.hidden, sizes.inner),
        activation: activation)
    }
  }

  private func widened(_ expert: FeedForward) -> FeedForward {
    func wide(_ linear: Linear) -> Linear {
      Linear(
        weight: linear.denseWeight.map { Parameter($0.value.cast(to: .f64)) } ?? linear.weight,
        bias: linear.bias.map { Parameter($0.value.cast(to: .f64)) })
    }
    return FeedForward(
      gate: expert.gate.map(wide), up: wide(expert.up), down: wide(expert.down),
      activation: expert.activation)
  }

  /// The definition: y_t = Σ weight · expert(x_t), one assignment after another.
  private func loop(_ x: Tensor, _ routing: Routing, _ experts: [FeedForward]) -> Tensor {
    let wide = experts.map(widened)
    let (x, weights) = (x.cast(to: .f64), routing.weights.cast(to: .f64).reshaped([-1]))
    var rows = (0..<routing.tokenCount).map { _ in Tensor.zeros([x.size(1)], dtype: .f64) }
    for (place, assignment) in routing.assignments.enumerated() {
      let (token, expert) = (assignment[0], assignment[1])
      rows[token] = rows[token] + wide[expert](x[token].expandingAxis(0))[0] * weights[place]
    }
    return Tensor.stacked(rows)
  }

  /// Every version that can hold these experts, the plain one first.
  private static func banks(of experts: [FeedForward], _ sizes: Sizes) -> [any ExpertBank] {
    [
      SlicedExperts(experts, outputs: sizes.hidden),
      ExpertBanks.standard.bank(of: experts, outputs: sizes.hidden),
    ]
  }

  private func check(
    _ sizes: Sizes, tokens: Int, router: any Router, form: FeedForward.Form,
    _ activation: Activation,
    _ dtype: DType
  ) {
    let experts = experts(sizes, form, activation, dtype)
    let gate = Linear(
      weight: Parameter(source.normal([sizes.experts, sizes.hidden]).cast(to: dtype)))
    let x = source.normal([tokens, sizes.hidden]).cast(to: dtype)
    for bank in Self.banks(of: experts, sizes) {
      #expect(bank.count == sizes.experts)
      let layer = MoELayer(gate: gate, router: router, experts: bank)
      let output = withoutGradients { layer(x, in: RoutingContext(sequenceLengths: [tokens])) }
      #expect(output.hidden.dtype == dtype)
      let expected = loop(x, output.routing, experts)
      // Inner values are rounded to bf16, so every output has errors of the size of the largest
      // values.
      let largest = expected.abs().reshaped([-1]).max(axis: 0).item(as: Double.self)
      expectClose(
        output.hidden.cast(to: .f64), expected,
        dtype == .f32 ? .sums : Tolerance(relative: 1.0 / 128, absolute: largest / 128),
        "\(type(of: bank)), \(tokens) tokens, \(form), \(activation), \(router)")
    }
  }

  @Test(
    "give the outputs of a loop over tokens", arguments: [DType.f32, .bf16],
    [Activation.silu, .relu, .geluTanh, .gelu])
  func matchesLoop(dtype: DType, activation: Activation) throws {
    for (form, hasBias) in [(FeedForward.Form.gated, false), (.plain, false), (.plain, true)] {
      let sizes = Sizes(hasBias: hasBias)
      for tokens in [1, 2, 31, 200] {
        check(
          sizes, tokens: tokens,
          router: try TokenChoiceRouter(k: 2, experts: sizes.experts, renormalizes: true),
          form: form, activation, dtype)
      }
      check(
        sizes, tokens: 17,
        router: try ExpertChoiceRouter(capacityFactor: 1.5, experts: sizes.experts), form: form,
        activation, dtype)
    }
  }

  @Test(
    "of any size give the right outputs", arguments: [(1, 1), (2, 2), (16, 8), (17, 9), (65, 130)])
  func sizes(hidden: Int, inner: Int) throws {
    let sizes = Sizes(experts: 3, hidden: hidden, inner: inner)
    for dtype in [DType.f32, .bf16] {
      for tokens in [1, 50] {
        check(
          sizes, tokens: tokens,
          router: try TokenChoiceRouter(k: 3, experts: 3, renormalizes: false), form: .gated, .silu,
          dtype)
      }
    }
  }

  @Test("that were not chosen have no effect, and NaN stays with its token")
  func untouched() throws {
    let sizes = Sizes(experts: 4)
    let experts = experts(sizes, .gated, .silu, .f32)
    let layer = MoELayer(
      gate: Linear(weight: Parameter(Tensor.zeros([4, sizes.hidden]))),
      router: try TokenChoiceRouter(k: 1, experts: 4, renormalizes: false),
      experts: ExpertBanks.standard.bank(of: experts, outputs: sizes.hidden))
    var x = source.normal([3, sizes.hidden])
    let nan = Tensor.full(.nan, [1, sizes.hidden])
    x = Tensor.concatenated([x[0..<1], nan, x[2..<3]], axis: 0)
    let output = withoutGradients { layer(x, in: RoutingContext(sequenceLengths: [3])) }
    #expect(output.routing.load.tokens[0] >= 2)
    let finite = output.hidden.isFinite().array(of: Bool.self)
    #expect(finite[0..<sizes.hidden].allSatisfy { $0 })
    #expect(finite[sizes.hidden..<2 * sizes.hidden].allSatisfy { !$0 })
    #expect(finite[(2 * sizes.hidden)...].allSatisfy { $0 })
  }

  @Test(
    "have the gradients of the definition", arguments: [1, 5, 31, 200],
    [Activation.silu, .relu, .geluTanh])
  func gradients(tokens: Int, activation: Activation) throws {
    let context = RoutingContext(sequenceLengths: [tokens])
    let choices: [(form: FeedForward.Form, hasBias: Bool, router: any Router)] = [
      (.gated, false, try TokenChoiceRouter(k: 2, experts: 5, renormalizes: true)),
      (.plain, false, try ExpertChoiceRouter(capacityFactor: 1.5, experts: 5)),
      (.plain, true, try ExpertChoiceRouter(capacityFactor: 1.5, experts: 5)),
      (.plain, true, try TokenChoiceRouter(k: 2, experts: 5, renormalizes: true)),
    ]
    for (form, hasBias, router) in choices {
      let sizes = Sizes(experts: 5, hidden: 32, inner: 48, hasBias: hasBias)
      let experts = experts(sizes, form, activation, .f32)
      let gate = source.normal([sizes.experts, sizes.hidden])
      let (x, seed) = (
        source.normal([tokens, sizes.hidden]), source.normal([tokens, sizes.hidden])
      )
      /// In f64 the kernels do not apply, so libtorch differentiates the definition.
      func result(_ experts: [FeedForward], _ dtype: DType) throws -> ValueAndGradients {
        let layer = MoELayer(
          gate: Linear(weight: Parameter(gate.cast(to: dtype))), router: router,
          experts: ExpertBanks.standard.bank(of: experts, outputs: sizes.hidden))
        let x = x.cast(to: dtype)
        let weights = experts.flatMap {
          [$0.gate?.denseWeight, $0.up.denseWeight, $0.down.denseWeight, $0.up.bias, $0.down.bias]
            .compactMap { $0?.value }
        }
        return try valueAndGradients(
          of: { (layer(x, in: context).hidden * seed.cast(to: dtype)).sum() },
          for: [x] + [layer.gate.denseWeight].compactMap { $0?.value } + weights)
      }
      let (found, expected) = (try result(experts, .f32), try result(experts.map(widened), .f64))
      #expect(found.gradients.count == expected.gradients.count)
      for (one, other) in zip(found.gradients, expected.gradients) {
        expectClose(
          one.cast(to: .f64), other, Tolerance(relative: 1e-4, absolute: 1e-4),
          "\(form), \(activation)")
      }
    }
  }

  @Test("give gradients even to a single weight, wherever it is")
  func singleWeights() throws {
    let sizes = Sizes(experts: 4, hidden: 32, inner: 16)
    let experts = experts(sizes, .gated, .silu, .f32)
    let gate = Linear(weight: Parameter(source.normal([4, 32])))
    let layer = MoELayer(
      gate: gate, router: try TokenChoiceRouter(k: 2, experts: 4, renormalizes: true),
      experts: ExpertBanks.standard.bank(of: experts, outputs: sizes.hidden))
    let x = source.normal([9, 32])
    let context = RoutingContext(sequenceLengths: [9])
    let seed = source.normal([9, 32])
    let weights = [gate, experts[2].down, experts[3].gate].compactMap { $0?.denseWeight }
    #expect(weights.count == 3)
    for weight in weights {
      let found = try valueAndGradients(
        of: { (layer(x, in: context).hidden * seed).sum() }, for: [weight])
      #expect(found.gradients[0].abs().sum().item(as: Float.self) > 0)
    }
  }

  @Test("keep NaN for every activation", arguments: Activation.allCases)
  func keepsNaN(activation: Activation) throws {
    let sizes = Sizes(experts: 2)
    let experts = experts(sizes, .plain, activation, .f32)
    let broken = Tensor.full(.nan, [sizes.inner, sizes.hidden])
    for expert in experts { expert.up.denseWeight?.assign(broken) }
    let layer = MoELayer(
      gate: Linear(weight: Parameter(Tensor.zeros([2, sizes.hidden]))),
      router: try TokenChoiceRouter(k: 2, experts: 2, renormalizes: true),
      experts: ExpertBanks.standard.bank(of: experts, outputs: sizes.hidden))
    for tokens in [1, 3] {
      let x = source.normal([tokens, sizes.hidden])
      let output = withoutGradients { layer(x, in: RoutingContext(sequenceLengths: [tokens])) }
      #expect(output.hidden.isFinite().array(of: Bool.self).allSatisfy { !$0 })
    }
  }

  /// A weight that is not dense: twice another one, whose elements must not be read.
  private struct DoubledWeight: LinearWeight {
    let half: Parameter
    var shape: [Int] { half.shape }
    var dtype: DType { half.dtype }
    var device: Device { half.device }
    func rows(at ids: Tensor) -> Tensor { half.rows(at: ids) * 2 }
    func product(_ x: Tensor, bias: Tensor?, as arithmetic: Arithmetic?) -> Tensor {
      let result = x.linear(half.value) * 2
      return bias.map { result + $0 } ?? result
    }
  }

  @Test("hold weights of any form, with the same outputs as for dense ones")
  func otherWeights() throws {
    let sizes = Sizes(experts: 3, hidden: 32, inner: 16)
    let dense = experts(sizes, .gated, .silu, .f32)
    func halved(_ linear: Linear) throws -> Linear {
      let weight = try #require(linear.denseWeight)
      return Linear(weight: DoubledWeight(half: Parameter(weight.value * 0.5)))
    }
    let others = try dense.map {
      FeedForward(
        gate: try $0.gate.map(halved), up: try halved($0.up), down: try halved($0.down),
        activation: $0.activation)
    }
    let x = source.normal([9, sizes.hidden])
    let routing = try TokenChoiceRouter(k: 2, experts: 3, renormalizes: true)
      .route(source.normal([9, 3]))
    let answers = withoutGradients {
      [dense, others].map {
        ExpertBanks.standard.bank(of: $0, outputs: sizes.hidden).run(
          ExpertRows(x), Dispatch(routing))
      }
    }
    expectClose(answers[1], answers[0], .sums)
  }

  /// Gives the matrices of every linear layer in a form that is not dense.
  private final class DoubledWeights: WeightSource {
    private let source = RandomWeights(RandomSource(seed: 7))

    func weight(_ name: String, _ shape: [Int], start: WeightStart) -> Parameter {
      source.weight(name, shape, start: start)
    }

    func linear(
      _ name: String, outputs: Int, inputs: Int, start: WeightStart
    ) -> any LinearWeight {
      halved(source.weight(name, [outputs, inputs], start: start))
    }

    func expertLinears(
      _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
    ) throws -> [any LinearWeight] {
      try source.expertWeights(projection, of: block, experts: experts, shape: shape).map(halved)
    }

    private func halved(_ weight: Parameter) -> any LinearWeight {
      DoubledWeight(half: Parameter(weight.value * 0.5))
    }
  }

  /// Counts what it runs.
  private final class CountedBank: ExpertBank {
    let inner: any ExpertBank
    private(set) var rows = 0
    init(_ inner: any ExpertBank) { self.inner = inner }
    var count: Int { inner.count }
    func run(_ rows: ExpertRows, _ dispatch: Dispatch) -> Tensor {
      self.rows += dispatch.tokenCount
      return inner.run(rows, dispatch)
    }
  }

  @Test("come into a model with its weights: of any form, and run by any bank")
  func models() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      Array(
        #"""
        {"model_type": "switchyard_moe", "vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2,
         "num_attention_heads": 2, "max_position_embeddings": 32, "rms_norm_eps": 1e-5, "rope_theta": 10000,
         "hidden_act": "silu", "num_experts": 4, "expert_size": 16,
         "router": {"type": "token_choice", "k": 2, "renormalize": true}}
        """#.utf8), to: "config.json")
    let configuration = try SwitchyardMoE.configuration(ConfigurationObject(path))
    let dense = try MoEDecoder(
      configuration, names: .usual, weights: RandomWeights(RandomSource(seed: 7)))
    let mapped = MappedWeights(DoubledWeights())
    let other = try MoEDecoder(configuration, names: .usual, weights: mapped)
    // Only dense weights are trained.
    #expect(dense.parameters.contains { $0.name.hasSuffix("q_proj.weight") })
    #expect(!other.parameters.contains { $0.name.hasSuffix("_proj.weight") })
    let tokens = Tensor([5, 9, 2, 7], shape: [1, 4])
    let expected = withoutGradients { dense(tokens).logits }
    expectClose(withoutGradients { other(tokens).logits }, expected, .logits)

    nonisolated(unsafe) var banks: [CountedBank] = []
    let counting = ExpertBanks([
      { experts, outputs in
        let bank = CountedBank(SlicedExperts(experts, outputs: outputs))
        unsafe banks.append(bank)
        return bank
      }
    ])
    let counted = try MoEDecoder(
      configuration, names: .usual, weights: RandomWeights(RandomSource(seed: 7)), banks: counting)
    expectClose(withoutGradients { counted(tokens).logits }, expected, .logits)
    #expect(unsafe banks.map(\.rows) == [4, 4])
  }
}
