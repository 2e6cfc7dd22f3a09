import MoEData
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage

@testable import MoETraining

/// A small language model in training, for tests.
struct RunningModel {
  static let routers = [
    #"{"type": "token_choice", "k": 2, "renormalize": true}"#,
    #"{"type": "token_choice", "k": 2, "renormalize": true, "scoring": "sigmoid", "selection_bias": true}"#,
    #"{"type": "expert_choice", "capacity_factor": 1}"#,
    #"{"type": "noisy_top_k", "k": 2}"#,
    #"{"type": "uniform_random", "k": 2}"#,
  ]

  let folder: TemporaryFolder
  let windows: TokenWindows

  init(tokens: Int = 2000) throws {
    folder = try TemporaryFolder()
    let path = folder.file("tokens.safetensors")
    let origin = #"{"version":1,"tokenizer":"t","vocabulary":40,"sources":[],"bytes":0}"#
    var generator = SeededGenerator(seed: 1)
    var previous = 0
    let values = (0..<tokens).map { _ in
      previous = (previous * 3 + Int.random(in: 0..<3, using: &generator)) % 40
      return Int32(previous)
    }
    try SafetensorsFile.write(
      ["tokens": Tensor(values)], metadata: ["switchyard": origin], to: path)
    windows = try TokenWindows(TokenFile(path), context: 12)
  }

  func model(router: String = routers[0], dtype: DType = .f32) throws -> MoEDecoder {
    let text = """
      {"model_type": "switchyard_moe", "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2,
       "num_attention_heads": 2, "max_position_embeddings": 12, "rms_norm_eps": 1e-5,
       "rope_theta": 10000, "hidden_act": "silu", "num_experts": 4, "expert_size": 16,
       "router": \(router)}
      """
    try AtomicFile.write(text, to: folder.file("config.json"))
    let configuration = try SwitchyardMoE.configuration(
      ConfigurationObject(folder.file("config.json")))
    return try MoEDecoder(
      configuration, names: SwitchyardMoE.names,
      weights: MappedWeights.trainable(
        RandomWeights(RandomSource(seed: 5)), dtype: dtype, device: .cpu))
  }

  func loop(
    router: String = routers[0], dtype: DType = .f32, batchSize: Int = 4, accumulation: Int = 1,
    recomputes: Bool = false, average: Double? = nil, rate: Double = 0.01, z: Double = 0.001,
    limit: Double = 1, fusesUpdates: Bool = false
  ) throws -> TrainingLoop<LanguageTask> {
    var settings = LanguageTask.Settings(batchSize: batchSize, balance: 0.01, z: z)
    (settings.recomputes, settings.evaluationWindows) = (recomputes, 8)
    let task = LanguageTask(
      try model(router: router, dtype: dtype), windows: windows, validation: windows,
      settings: settings, seed: 3, files: [ModelFile("config.json", Array("{}".utf8))])
    return try TrainingLoop(
      task,
      settings: LoopSettings(
        accumulation: accumulation,
        schedule: LearningRateSchedule(peak: rate, warmupSteps: 3, totalSteps: 200),
        optimizer: AdamWSettings(weightDecay: 0.1), clip: limit,
        fusesUpdates: fusesUpdates, average: average, seed: 11))
  }
}
