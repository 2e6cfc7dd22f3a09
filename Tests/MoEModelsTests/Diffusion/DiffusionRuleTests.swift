import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import Testing

@testable import MoEModels

/// What holds for every rule, the library's or another package's.
@Suite("Every routing rule of diffusion transformers")
struct DiffusionRuleTests {
  private static let perImage = 16
  private static let width = 32

  /// A registered rule with one of the numbers of experts per token that it allows.
  struct Case: Sendable, CustomTestStringConvertible {
    var rule: any DiffusionRule.Type
    var k: Int
    var testDescription: String { "\(rule.name), \(k) per token" }

    func model() throws -> DiffusionTransformer { try DiffusionSample.awake(.init(rule), k: k) }

    /// The model and the rule of its first sparse block.
    func parts() throws -> (model: DiffusionTransformer, rule: any DiffusionRule) {
      let model = try model()
      return (model, try #require(model.blocks[1].experts).rule)
    }
  }

  private static let cases = DiffusionRules.builtIn.flatMap { rule in
    (rule.keys.contains(.perToken) ? [1, 3] : [1]).map { Case(rule: rule, k: $0) }
  }

  private static var passes: [DiffusionPass] { [.training, .inference] }

  /// Tokens of as many images as there are labels.
  private func tokens(_ labels: [Int?], seed: UInt64 = 3) -> LabelledTokens {
    LabelledTokens(
      RandomSource(seed: seed).normal([labels.count * Self.perImage, Self.width]), labels: labels,
      perImage: Self.perImage)
  }

  @Test(
    "assigns tokens to experts, with finite weights of the sign that it states", arguments: cases)
  func assignments(test: Case) throws {
    let (_, rule) = try test.parts()
    for pass in Self.passes {
      let routing = rule.route(tokens([0, 4, nil]), pass: pass).routing
      #expect(routing.tokenCount == 3 * Self.perImage && routing.expertCount == 4)
      switch routing.choice {
      case .byToken(let experts, let k):
        // Every token has its experts, no expert twice.
        #expect(k == test.k && experts.count == routing.tokenCount * k)
        #expect(experts.allSatisfy { 0..<4 ~= $0 })
        for token in 0..<routing.tokenCount {
          #expect(Set(experts[token * k..<(token + 1) * k]).count == k)
        }
      case .byExpert(let chosen):
        #expect(chosen.count == 4)
        for tokens in chosen {
          #expect(tokens == Set(tokens).sorted())
          #expect(tokens.allSatisfy { 0..<routing.tokenCount ~= $0 })
        }
      }
      let weights = routing.weights.array(of: Float.self)
      #expect(weights.count == routing.assignments.count)
      #expect(weights.allSatisfy { $0.isFinite && ($0 >= 0 || test.rule.hasSignedWeights) })
      let sums = routing.probabilities.sum(axis: 1).array(of: Float.self)
      #expect(sums.count == routing.tokenCount && sums.allSatisfy { abs($0 - 1) < 1e-5 })
    }
  }

  @Test("gives the same again, and whether or not gradients are recorded", arguments: cases)
  func recording(test: Case) throws {
    let (model, rule) = try test.parts()
    for pass in Self.passes {
      let input = Parameter(tokens([0, 4, 2]).values)
      func route() -> RoutedTokens {
        rule.route(
          LabelledTokens(input.value, labels: [0, 4, 2], perImage: Self.perImage), pass: pass)
      }
      let plain = withoutGradients { route() }
      var recorded = plain
      _ = try valueAndGradients(
        of: {
          recorded = route()
          return recorded.routing.weights.sum() + input.value.sum()
        }, for: [input] + model.parameters.map(\.parameter))
      #expect(recorded.routing.assignments == plain.routing.assignments)
      expectClose(recorded.routing.weights.detached(), plain.routing.weights, .exact)
      expectClose(recorded.routing.probabilities.detached(), plain.routing.probabilities, .exact)
      #expect(recorded.evidence.count == plain.evidence.count)
      for (one, other) in zip(recorded.evidence, plain.evidence) {
        expectClose(one.detached(), other, .exact)
      }
    }
  }

  @Test(
    "has losses that are finite and at least 0, even if nothing is assigned", arguments: cases)
  func losses(test: Case) throws {
    let model = try test.model()
    let layer = try #require(model.blocks[1].experts)
    #expect(Set(test.rule.terms.map(\.name)).count == test.rule.terms.count)
    for labels in [[0, 4, 2], [0, 5, 2], [5, 5, 5]] {
      let x = RandomSource(seed: 3).normal([3, Self.perImage, Self.width])
      let output = layer(
        x, labels: DiffusionLabels(values: labels, isNull: labels.map { $0 == 5 }), pass: .training)
      for term in test.rule.terms {
        #expect(term.coefficient >= 0 && term.parameters.allSatisfy { $0.value > 0 })
        let value = try #require(output.loss(term.name))
        #expect(value.shape == [])
        let number = value.item(as: Float.self)
        #expect(number >= 0 && number.isFinite, "\(term.name) is \(number) with \(labels)")
        if output.conditional.tokenCount == 0 { #expect(number == 0) }
      }
      #expect(output.loss("no such term") == nil)
    }
  }

  @Test("changes only its buffers after a batch", arguments: cases)
  func learning(test: Case) throws {
    let model = try test.model()
    func values(_ all: [Parameter]) -> [[Float]] { all.map { $0.value.array(of: Float.self) } }
    func own(_ isOwn: Bool) -> [Parameter] {
      model.buffers.filter { ($0.name != "pos_embed") == isOwn }.map(\.parameter)
    }
    let others = model.parameters.map(\.parameter) + own(false)
    let (before, buffers) = (values(others), values(own(true)))
    let output = model(
      DiffusionSample.images(3), times: DiffusionSample.times(3), labels: [0, 5, 4], pass: .training
    )
    #expect(values(own(true)) == buffers)
    model.learn(from: output.sparse)
    #expect(values(others) == before)
    #expect((values(own(true)) != buffers) == test.rule.learnsFromRouting)
    #expect(model.learnsFromRouting == test.rule.learnsFromRouting && !model.needsStart)
  }

  @Test("treats an image as it would alone, if it says so", arguments: cases)
  func batchIndependence(test: Case) throws {
    let (model, rule) = try test.parts()
    #expect(model.treatsImagesAlone == test.rule.treatsImagesAlone)
    guard test.rule.treatsImagesAlone else { return }
    let (labels, all) = ([0, 4, 2], tokens([0, 4, 2]))
    let whole = rule.route(all, pass: .inference).routing
    let weights = whole.weights.array(of: Float.self)
    for (image, label) in labels.enumerated() {
      let rows = image * Self.perImage..<(image + 1) * Self.perImage
      let alone = rule.route(
        LabelledTokens(all.values[rows], labels: [label], perImage: Self.perImage), pass: .inference
      ).routing
      let places = whole.assignments.indices.filter { rows ~= whole.assignments[$0][0] }
      #expect(
        places.map { [whole.assignments[$0][0] - rows.lowerBound, whole.assignments[$0][1]] }
          == alone.assignments)
      for (place, weight) in zip(places, alone.weights.array(of: Float.self)) {
        #expect(Tolerance.sameKernels.allows(Double(weight), for: Double(weights[place])))
      }
    }
  }

  @Test("names its tensors as declared, and is recognised by them", arguments: cases)
  func tensors(test: Case) throws {
    let model = try test.model()
    let prefix = "blocks.1.mlp."
    let own = model.buffers.map(\.name).filter { $0.hasPrefix(prefix) }
    #expect(Set(own) == Set(test.rule.buffers.map { prefix + $0 }))
    for named in model.parameters {
      let name = named.name
      #expect(!DiffusionConfiguration.isBuffer(name), "\(name)")
    }
    for named in model.buffers {
      let name = named.name
      #expect(DiffusionConfiguration.isBuffer(name), "\(name)")
    }
    let shapes = Dictionary(
      uniqueKeysWithValues: try model.configuration.tensorShapes().map { ($0.name, $0.shape) })
    for name in test.rule.signature { #expect(shapes[prefix + name] != nil, "\(name)") }
    let found = DiffusionRules.recognised { shapes[prefix + $0] != nil }
    #expect(found?.signature ?? [] == test.rule.signature)
    if let first = test.rule.signature.first { #expect(shapes[prefix + first]?.first == 4) }
    #expect(shapes["\(prefix)experts.0.\(test.rule.projections.up).weight"]?.count == 2)
  }

  @Test("is registered under its name, and found by it")
  func names() throws {
    // Tests of the same process may register more.
    let all = DiffusionRules.builtIn
    #expect(DiffusionRules.registry.names.prefix(all.count) == ArraySlice(all.map { $0.name }))
    #expect(DiffusionRules.builtIn.map { $0.name } == all.prefix(7).map { $0.name })
    #expect(
      DiffusionRules.terms.prefix(4).map(\.name) == [
        "contrastive", "balance", "capacity", "classification",
      ])
    let folder = try TemporaryFolder()
    func experts(_ text: String) throws -> DiffusionExpertsConfiguration {
      try AtomicFile.write(text, to: folder.file("experts.json"))
      return try DiffusionExpertsConfiguration(
        ConfigurationObject(folder.file("experts.json")), hiddenSize: 8, classes: 3,
        hasNullLabel: true)
    }
    for rule in all {
      let read = try experts(#"{"router": "\#(rule.name)", "count": 4}"#)
      #expect(read.router == .init(rule) && read.router.name == rule.name)
    }
    let error = #expect(throws: ConfigurationError.self) {
      try experts(#"{"router": "top", "count": 4}"#)
    }
    let known = all.map { $0.name }.joined(separator: ", ")
    #expect(error?.description.contains("it must be one of \(known)") == true)
    let unread = #expect(throws: ConfigurationError.self) {
      try experts(#"{"router": "tc_dit", "count": 4, "scoring": "sigmoid"}"#)
    }
    #expect(
      unread?.description.contains("absent; it belongs to 'promoe', 'promoe_expert_choice'")
        == true)
  }
}
