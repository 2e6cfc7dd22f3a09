import MoECore
import MoEData
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoETraining

/// A rule as another package would write it: tokens choose by a gate whose logits a loss keeps
/// small, and which counts the use of its experts.
private struct CalmRule: DiffusionRule {
  static let name = "calm"
  static let title = "a calm model"
  static let signature = ["calm_gate.weight"]
  static let buffers = ["busy"]
  static let learnsFromRouting = true
  static let terms: [RoutingTerm] = [
    .balance(0.02),
    RoutingTerm(
      "calm", coefficient: 0.5, parameters: [NamedValue("calm_power", 2)], needs: "calm gate"),
  ]

  private let gate: Linear
  private let busy: Parameter
  private let router: TokenChoiceRouter

  init(_ weights: DiffusionRuleWeights) throws {
    let experts = weights.experts
    gate = try weights.linear("calm_gate", outputs: experts.count, inputs: weights.width)
    busy = try weights.buffer("busy", [experts.count], start: .zeros)
    router = try TokenChoiceRouter(
      k: experts.perToken, experts: experts.count, scoring: .sigmoid, renormalizes: false)
  }

  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens {
    let logits = gate(tokens.values).cast(to: .f32)
    return RoutedTokens(tokens, router.route(logits, in: tokens.context), evidence: [logits])
  }

  func loss(_ term: String, of routed: RoutedTokens, parameters: [String: Double]) -> Tensor {
    routed.evidence[0].abs().pow(parameters["calm_power"] ?? 2).mean()
  }

  func learn(from routed: RoutedTokens) {
    busy.assign(busy.value + Tensor(routed.routing.load.tokens.map(Float.init)))
  }

  /// Registers the rule, once.
  static let isRegistered: Bool = {
    DiffusionRules.registry.register(name, Self.self)
    return true
  }()
}

@Suite("A routing rule from elsewhere", .serialized)
struct OwnRuleTests {
  init() { #expect(CalmRule.isRegistered) }

  private func configuration() throws -> DiffusionConfiguration {
    let folder = try TemporaryFolder()
    let text = """
      {"model_type": "diffusion_transformer", "image_size": 8, "channels": 1, "patch_size": 2,
       "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "num_classes": 4,
       "learn_sigma": false, "experts": {"router": "calm", "count": 4, "per_token": 2}}
      """
    try AtomicFile.write(text, to: folder.file("config.json"))
    return try DiffusionConfiguration(ConfigurationObject(folder.file("config.json")))
  }

  private func loop(
    _ losses: [String: Double] = [:], recomputes: Bool = false
  ) throws -> TrainingLoop<DiffusionTask> {
    var settings = DiffusionTask.Settings(batchSize: 8)
    (settings.losses, settings.recomputes) = (losses, recomputes)
    let model = try DiffusionTransformer(
      configuration(), weights: RandomWeights(RandomSource(seed: 1)))
    return try TrainingLoop(
      DiffusionTask(
        model, images: ShuffledImages(SampleImages.set(), flips: false, seed: 2), settings: settings
      ),
      settings: LoopSettings(
        schedule: LearningRateSchedule(peak: 1e-3, totalSteps: 10, decay: .constant),
        optimizer: AdamWSettings(weightDecay: 0)))
  }

  @Test("builds a model from JSON that names it")
  func model() throws {
    let configuration = try configuration()
    #expect(configuration.experts?.router == .init(CalmRule.self))
    #expect(configuration.title.hasPrefix("a calm model (2 blocks"))
    #expect(try configuration.json().contains(#""router" : "calm""#))
    let model = try DiffusionTransformer(
      configuration, weights: RandomWeights(RandomSource(seed: 1)))
    #expect(model.parameters.contains { $0.name == "blocks.1.mlp.calm_gate.bias" })
    #expect(model.buffers.map(\.name) == ["pos_embed", "blocks.1.mlp.busy"])
    let output = model(
      try SampleImages.set().images([0, 1, 2], random: nil), times: Tensor.full(300, [3]),
      labels: [0, 4, 2])
    #expect(output.prediction.shape == [3, 1, 8, 8])
    #expect(output.sparse[0].routing.load.total == 3 * 16 * 2)
    #expect(output.sparse[0].contrastiveLoss(temperature: 0.07) == nil)
  }

  @Test("trains with its losses, and learns from batches")
  func training() throws {
    let loop = try loop()
    let step = try loop.advance()
    #expect(step.parts.map(\.name) == ["velocity_error", "balance", "calm", "gate"])
    let sum = step.parts.reduce(0) {
      $0 + ($1.name == "gate" ? 0 : ["balance": 0.02, "calm": 0.5][$1.name] ?? 1) * $1.value
    }
    #expect(abs(step.loss - sum) < 1e-5 * step.loss)
    #expect(loop.task.buffers[1].parameter.value.sum().item(as: Float.self) == 8 * 16 * 2)

    let other = try self.loop(["calm": 3, "balance": 0, "calm_power": 4]).advance()
    #expect(other.parts.map(\.name) == ["velocity_error", "calm", "gate"])
    #expect(other.parts[1].value != step.parts[2].value)
  }

  @Test("has the same losses when blocks are recomputed")
  func recomputation() throws {
    let (plain, again) = (try loop(), try loop(recomputes: true))
    for _ in 0..<3 {
      let (one, other) = (try again.advance(), try plain.advance())
      #expect(Tolerance.trainingCurve.allows(one.loss, for: other.loss))
      #expect(Tolerance.trainingCurve.allows(one.gradientNorm, for: other.gradientNorm))
    }
  }

  @Test("takes coefficients of its losses from a training's JSON")
  func recipe() throws {
    let folder = try TemporaryFolder()
    let set = LabelledImages(
      width: 8, height: 8, channels: 1, bytes: (0..<12 * 64).map { UInt8($0 % 251) },
      labels: (0..<12).map { $0 % 3 }, classes: ["a", "b", "c"])
    let (images, labels) = IDXFile.bytes(of: set)
    _ = try folder.write(images, to: "images")
    _ = try folder.write(labels, to: "labels")
    func prepared(_ router: String, _ losses: String) throws -> PreparedTask<DiffusionTask> {
      let text = """
        {"task": "diffusion",
         "model": {"preset": "8x8", "router": "\(router)", "num_hidden_layers": 2, "hidden_size": 16,
                   "num_attention_heads": 2, "experts": {"count": 2, "expert_size": 16}},
         "data": {"train": "images", "labels": "labels"}, "losses": \(losses),
         "training": {"steps": 4, "batch_size": 4}, "optimizer": {"learning_rate": 0.001}}
        """
      try AtomicFile.write(text, to: folder.file("config.json"))
      let configuration = try TrainingConfiguration(folder.file("config.json"), settings: [])
      let recipe = try #require(configuration.recipe as? DiffusionRecipe)
      return try recipe.prepare(in: folder.path, device: .cpu) { _ in }
    }
    let own = try prepared("calm", #"{"calm": 0.25, "contrastive": 1}"#)
    #expect(
      own.notices == ["losses.contrastive changes nothing: the router 'calm' has no prototypes"])
    let batch = try own.task.nextBatch()
    let loss = try own.task.loss(batch, random: RandomSource(seed: 1))
    #expect(loss.parts.first { $0.name == "calm" }?.coefficient == 0.25)
    let other = try prepared("tc_dit", #"{"calm": 0.25, "calm_power": 3}"#)
    #expect(
      other.notices == [
        "losses.calm changes nothing: the router 'tc_dit' has no calm gate",
        "losses.calm_power changes nothing: the router 'tc_dit' has no calm gate",
      ])
  }

  @Test("rejects coefficients that no term has, or that are out of range")
  func refusals() throws {
    for (losses, expected) in [
      (["clam": 1.0], "clam is 1.0; it must be absent; the router has balance, calm, calm_power"),
      (["calm_power": 0], "calm_power is 0.0; it must be above 0"),
      (["calm": -1], "calm is -1.0; it must be at least 0"),
    ] {
      let error = #expect(throws: SettingError.self) { try loop(losses) }
      #expect(error?.description == expected)
    }
  }
}
