import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// A folder with the weights of another, each in its own type.
struct MixedFolder {
  static let types: [(dtype: DType, name: String)] = [
    (.f32, "float32"), (.bf16, "bfloat16"), (.f16, "float16"), (.f64, "float64"),
  ]

  let folder: TemporaryFolder

  /// - Parameters:
  ///   - source: A folder with `config.json` and `model.safetensors`.
  ///   - changes: Keys of the configuration to change; null removes one.
  ///   - convert: A weight as it is to be stored.
  /// - Throws: What reading or writing throws.
  init(
    _ source: FilePath, changes: JSONObject = [:], convert: (String, Tensor) -> Tensor
  ) throws {
    folder = try TemporaryFolder()
    var values = try ConfigurationObject(source.appending("config.json")).values
    for (key, value) in changes { values[key] = value == .null ? nil : value }
    try AtomicFile.write(
      JSONText.line(JSONValue.object(values)), to: folder.file("config.json"))
    let file = try SafetensorsFile(source.appending("model.safetensors"))
    let tensors = try file.header.entries.map {
      ($0.name, convert($0.name, try file.tensor(named: $0.name)))
    }
    try SafetensorsFile.write(
      Dictionary(uniqueKeysWithValues: tensors), to: folder.file("model.safetensors"))
  }
}

@Suite("Decoders with weights of several types")
struct MixedTypesTests {
  private static var tokens: Tensor { Tensor([1, 5, 9, 2, 70, 33], shape: [1, 6]) }

  @Test(
    "compute in the type that the configuration names, with every weight converted to it",
    arguments: DecoderParityTests.families)
  func mixtures(name: String) throws {
    let source = Fixtures.path("decoders").appending(name)
    for (number, (dtype, typeName)) in MixedFolder.types.enumerated() {
      var (types, generator) = ([String: DType](), SeededGenerator(seed: UInt64(number)))
      let key = number.isMultiple(of: 2) ? "dtype" : "torch_dtype"
      let other: JSONObject = ["dtype": .null, "torch_dtype": .null]
      let mixed = try MixedFolder(
        source,
        changes: other.merging([key: .string(typeName)]) { $1 }
      ) { name, weight in
        let type = MixedFolder.types.randomElement(using: &generator)?.dtype ?? .f32
        types[name] = type
        return weight.cast(to: type)
      }
      let uniform = try MixedFolder(source, changes: ["dtype": .string(typeName)]) {
        $1.cast(to: types[$0] ?? .f32).cast(to: dtype)
      }
      let model = try MoEDecoder.open(mixed.folder.path)
      let expected = try MoEDecoder.open(uniform.folder.path)
      #expect(model.parameters.allSatisfy { $0.parameter.value.dtype == dtype })
      // Several tokens and a single one take different kernels.
      for tokens in [Self.tokens, Self.tokens.slice(axis: 1, 0..<1)] {
        let logits = model(tokens).logits
        #expect(logits.dtype == dtype && logits.isFinite().all())
        // Libraries add f32 and f64 in an order that depends on where the numbers are in memory.
        let tolerance = dtype.byteSize > 2 ? Tolerance.sameKernels : .exact
        expectClose(logits, expected(tokens).logits, tolerance, "\(name) in \(dtype)")
      }
      let summary = try ModelSummary(mixed.folder.path)
      #expect(summary.bytesByType.count == Set(types.values).count)
    }
  }

  @Test("compute in the type of the first weight by name where the configuration names none")
  func withoutName() throws {
    let source = Fixtures.path("decoders").appending("mixtral")
    for (first, rest) in [(DType.bf16, DType.f32), (.f32, .bf16)] {
      let mixed = try MixedFolder(source, changes: ["dtype": .null]) { name, weight in
        weight.cast(to: name == "lm_head.weight" ? first : rest)
      }
      let logits = try MoEDecoder.open(mixed.folder.path)(Self.tokens).logits
      #expect(logits.dtype == first)
      let checkpoint = try SafetensorsCheckpoint(mixed.folder.path)
      let weights = CheckpointWeights(checkpoint)
      #expect(try weights.weight("model.norm.weight", [32], start: .ones).value.dtype == first)
    }
  }

  @Test("refuse a type in which models do not compute, and take the one that is asked for")
  func otherTypes() throws {
    let source = Fixtures.path("decoders").appending("llama")
    let folder = try MixedFolder(source, changes: ["dtype": "float8_e4m3fn"]) { $1 }
    let error = #expect(throws: ConfigurationError.self) {
      try MoEDecoder.open(folder.folder.path)
    }
    #expect("\(error, default: "")".contains("dtype is 'float8_e4m3fn'"))
    let logits = try MoEDecoder.open(folder.folder.path, dtype: .bf16)(Self.tokens).logits
    #expect(logits.dtype == .bf16)
  }

  @Test("keep the precision of selection biases")
  func selectionBias() throws {
    let folder = try TemporaryFolder()
    let config = #"""
      {"model_type": "switchyard_moe", "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1,
       "num_attention_heads": 2, "max_position_embeddings": 32, "rms_norm_eps": 1e-5,
       "rope_theta": 10000, "hidden_act": "silu", "num_experts": 4, "expert_size": 24,
       "dtype": "bfloat16", "router": {"type": "token_choice", "k": 2, "scoring": "sigmoid",
       "renormalize": true, "selection_bias": true}}
      """#
    try AtomicFile.write(config, to: folder.file("config.json"))
    let new = try MoEDecoder(
      SwitchyardMoE.configuration(ConfigurationObject(folder.file("config.json"))),
      names: SwitchyardMoE.names, weights: RandomWeights(RandomSource(seed: 1)))
    for type in [DType.f32, .f64, .bf16] {
      let tensors = new.parameters.map {
        ($0.name, $0.parameter.value.cast(to: $0.name.hasSuffix("bias") ? type : .f32))
      }
      try SafetensorsFile.write(
        Dictionary(uniqueKeysWithValues: tensors), to: folder.file("model.safetensors"))
      let model = try MoEDecoder.open(folder.path)
      #expect(model(Tensor([1, 2, 3], shape: [1, 3])).logits.dtype == .bf16)
      let bias = model.parameters.first { $0.name.hasSuffix("e_score_correction_bias") }
      #expect(bias?.parameter.value.dtype == type)
    }
  }
}
