import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage

/// Models with random weights of every family, and of what families can be combined with, in sizes that fill no vector.
enum CompanyModels {
  /// Family fixtures, then configurations of the project's own family.
  static let names =
    DecoderParityTests.families + own.map(\.name)

  /// Changes of a configuration of the project's own family.
  private static let own: [(name: String, changes: [String: any Sendable])] = [
    (
      "selection bias, groups, shared gate",
      [
        "router": [
          "type": "token_choice", "k": 3, "renormalize": true, "scoring": "sigmoid", "scale": 2.5,
          "groups": 4, "kept_groups": 2, "group_score": "twoLargest", "selection_bias": true,
        ] as [String: any Sendable], "shared_size": 27, "shared_gate": true, "num_experts": 12,
      ]
    ),
    (
      "window, GELU, layer norm, biases",
      [
        "router": ["type": "token_choice", "k": 2, "renormalize": true] as [String: any Sendable],
        "sliding_window": 5, "hidden_act": "gelu", "normalization": "layer", "attention_bias": true,
        "expert_form": "plain",
      ]
    ),
    (
      "tanh, noisy gate, norm of heads",
      [
        "router": ["type": "noisy_top_k", "k": 2] as [String: any Sendable], "hidden_act": "tanh",
        "qk_norm": "per_head",
      ]
    ),
    (
      "GELU by a tangent, plain experts",
      [
        "router": ["type": "token_choice", "k": 1, "renormalize": false] as [String: any Sendable],
        "hidden_act": "gelu_pytorch_tanh", "expert_form": "plain",
      ]
    ),
  ]

  /// A width for every linear layer, all of them in a model; rows of 72 have a short last group.
  private static func packing(_ model: StoredModel) throws -> WeightPacking {
    var formats: [String: PackedFormat] = [:]
    for (place, module) in try model.linearModules().enumerated() where place % 7 > 0 {
      formats[module.name] = PackedFormat(
        place % 5 == 0 ? .symmetric : .affine, bits: PackedFormat.widths[place % 6],
        group: PackedFormat.groups[place % 3])
    }
    return WeightPacking(formats)
  }

  /// A model with random weights; with packed ones if it is said how the numbers that they meet are rounded.
  static func model(
    _ name: String, _ dtype: DType, packed: ActivationPrecision? = nil
  ) throws -> MoEDecoder {
    let folder = try TemporaryFolder()
    let path = folder.file("config.json")
    try AtomicFile.write(
      Array(JSONSerialization.data(withJSONObject: configuration(name))), to: path)
    let json = try ConfigurationObject(path)
    let family = try DecoderFamilies.family(of: json)
    let random = try MoEDecoder(
      family.configuration(json), names: family.names, weights: RandomWeights(RandomSource(seed: 1))
    )
    let tensors = random.parameters.map { parameter in
      let value = parameter.parameter.value
      let isSmall = value.rank == 1 && !parameter.name.contains("norm")
      let changed =
        isSmall
        ? RandomSource(seed: 2).normal(value.shape) * 0.1
        : value * (parameter.name.contains("norm") ? 1 : 12)
      return (parameter.name, changed.cast(to: dtype))
    }
    try SafetensorsFile.write(
      Dictionary(uniqueKeysWithValues: tensors), to: folder.file("model.safetensors"))
    guard let packed else { return try MoEDecoder.open(folder.path, dtype: dtype) }
    let stored = try StoredModel(folder.path)
    return try stored.decoder(
      as: WeightForm(dtype: dtype, activations: packed, packing: packing(stored)))
  }

  private static func configuration(_ name: String) throws -> [String: Any] {
    let sizes: [String: Any] = [
      "hidden_size": 72, "vocab_size": 307, "num_hidden_layers": 2,
      "max_position_embeddings": 2_048,
    ]
    if let changes = own.first(where: { $0.name == name })?.changes {
      let plain: [String: Any] = [
        "model_type": "switchyard_moe", "num_attention_heads": 4, "rms_norm_eps": 1e-5,
        "rope_theta": 10_000, "hidden_act": "silu", "num_experts": 6, "expert_size": 42,
      ]
      return plain.merging(sizes) { $1 }.merging(changes) { $1 }
    }
    let path = Fixtures.path("decoders").appending(name).appending("config.json")
    let data = try Data(contentsOf: URL(fileURLWithPath: path.string))
    let json = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
    return json.merging(sizes) { $1 }
  }
}
