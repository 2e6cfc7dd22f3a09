import MoECore
import MoEModels
import MoETestSupport
import SystemPackage
import Testing

/// Expected values: `ROPE_INIT_FUNCTIONS["yarn"]` of transformers 5.24.
@Suite("Keys of rotary positions")
struct RotaryKeysTests {
  private func configuration(_ keys: JSONObject) throws -> DecoderConfiguration {
    let base: JSONObject = [
      "vocab_size": 96, "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 1,
      "intermediate_size": 48, "max_position_embeddings": 128,
    ]
    return try Llama.configuration(
      ConfigurationObject(base.merging(keys) { $1 }, path: "config.json"))
  }

  private func yarn(_ keys: JSONObject) throws -> (factor: Double, length: Int, amplitude: Double) {
    let base: JSONObject = ["rope_type": "yarn", "rope_theta": 10_000]
    let scaling = try configuration(["rope_parameters": .object(base.merging(keys) { $1 })])
      .rotaryScaling
    guard case .yarn(let factor, 32, 1, let length, let amplitude, true) = scaling else {
      Issue.record("\(scaling)")
      return (0, 0, 0)
    }
    return (factor, length, amplitude)
  }

  @Test(
    "give YaRN's attention factor as transformers computes it",
    arguments: [
      (["factor": 4, "mscale": 1, "mscale_all_dim": 1], 1),
      (["factor": 40, "mscale": 0.707, "mscale_all_dim": 1], 0.9210423553163399),
      (["factor": 40, "mscale": 1], 1.3688879454113936),
      (["factor": 40, "mscale_all_dim": 1], 1.3688879454113936),
      (["factor": 40, "mscale": 0, "mscale_all_dim": 1], 1.3688879454113936),
      (["factor": 0.5, "mscale": 0.707, "mscale_all_dim": 1], 1),
      (["factor": 40, "mscale": 2, "mscale_all_dim": 0.5, "attention_factor": 1.5], 1.5),
      (["factor": .null, "mscale": 2, "mscale_all_dim": 0.5], 1.1944648761087142),
      (["factor": 4], 1.138629436111989),
      (["factor": 4, "beta_fast": 0, "beta_slow": 0], 1.138629436111989),
    ] as [(JSONObject, Double)])
  func attentionFactor(keys: JSONObject, expected: Double) throws {
    let base: JSONObject = ["original_max_position_embeddings": 32]
    let found = try yarn(base.merging(keys) { $1 })
    #expect(abs(found.amplitude - expected) < 1e-15, "\(found)")
    #expect(found.length == 32)
  }

  @Test("take what the older key says where both are there, and the length beside the keys")
  func precedence() throws {
    let both = try configuration([
      "rope_scaling": ["type": "linear", "factor": 2], "rope_theta": 500,
      "rope_parameters": ["rope_type": "yarn", "rope_theta": 5e5, "factor": 4],
    ])
    #expect(both.rotaryScaling == .linear(factor: 2) && both.rotaryBase == 500)
    let empty = try configuration([
      "rope_scaling": [:], "rope_parameters": ["rope_type": "linear", "factor": 3],
    ])
    #expect(empty.rotaryScaling == .linear(factor: 3) && empty.rotaryBase == 10_000)
    let beside = try configuration([
      "original_max_position_embeddings": 16,
      "rope_parameters": [
        "rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 32,
      ],
    ])
    guard case .yarn(_, _, _, 16, _, _) = beside.rotaryScaling else {
      Issue.record("\(beside.rotaryScaling)")
      return
    }
  }

  @Test(
    "that are not known are refused by name, wherever they are",
    arguments: [
      (["rope_parameters": ["rope_type": "default", "alpha": 2]], "rope_parameters.alpha"),
      (
        ["rope_scaling": ["type": "yarn", "factor": 4, "extrapolation_factor": 1]],
        "rope_scaling.extrapolation_factor"
      ),
      (["rope_scaling": ["type": "linear", "factr": 4]], "rope_scaling.factr"),
      (
        ["rope_parameters": ["rope_type": "default", "mrope_section": [1, 2]]],
        "rope_parameters.mrope_section"
      ),
      (
        ["rope_parameters": ["rope_type": "default", "partial_rotary_factor": 0.5]],
        "rope_parameters.partial_rotary_factor"
      ),
      (["partial_rotary_factor": 0.5], "partial_rotary_factor"),
      (["rope_scaling": ["type": "dynamic", "factor": 2]], "rope_scaling.type"),
      (["rope_parameters": ["rope_type": "longrope", "factor": 2]], "rope_parameters.rope_type"),
      (
        [
          "rope_scaling": [
            "type": "yarn", "factor": 1e30, "mscale": 1.7e308, "mscale_all_dim": 1,
          ]
        ],
        "rope_scaling.mscale_all_dim"
      ),
    ] as [(JSONObject, String)])
  func unknown(keys: JSONObject, name: String) {
    let error = #expect(throws: ConfigurationError.self) { try configuration(keys) }
    let text = "\(error, default: "")"
    #expect(text.contains("\(name) is"), "\(text)")
  }

  @Test("of another kind of scaling, and those without a value, change nothing")
  func harmless() throws {
    let found = try configuration([
      "rope_parameters": [
        "rope_type": "default", "factor": 4, "low_freq_factor": 1, "partial_rotary_factor": 1,
        "alpha": .null,
      ]
    ])
    #expect(found.rotaryScaling == .none)
  }
}
