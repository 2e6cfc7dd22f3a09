import Foundation
import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoEModels

/// Quantized models that contradict themselves: one message with what is wrong and where.
@Suite("Broken quantized checkpoints")
struct PackedRefusalTests {
  private func message(
    _ name: String, _ change: (inout PackedCopy) throws -> Void
  ) throws -> String {
    var copy = try PackedCopy(name)
    try change(&copy)
    return try copy.message()
  }

  private let attention = "model.layers.0.self_attn.q_proj"
  private let stack = "model.layers.0.mlp.switch_mlp.up_proj"

  @Test("of MLX are refused with the module")
  func mlx() throws {
    let cases: [(String, (inout PackedCopy) throws -> Void)] = [
      (
        "'model.layers.7.mlp.gate': config.json has a width for it",
        {
          $0.set("model.layers.7.mlp.gate", ["bits": 8, "group_size": 64])
        }
      ),
      (
        "'\(attention)': config.json says false for it, but it has scales",
        {
          $0.set("model.layers.0.self_attn.q_proj", false)
        }
      ),
      (
        "'\(stack)': config.json says 3 bits in groups of 64, but its shapes are those of 4 bits",
        {
          $0.set("model.layers.0.mlp.switch_mlp.up_proj", ["bits": 3, "group_size": 64])
        }
      ),
      (
        "'lm_head': config.json says that it is quantized, but it has no scales",
        {
          $0.set("lm_head", ["bits": 4, "group_size": 64])
        }
      ),
      (
        "the weight '\(attention).biases' is missing",
        {
          $0.tensors["model.layers.0.self_attn.q_proj.biases"] = nil
        }
      ),
      (
        "the tensor 'model.layers.0.extra.weight' is not part of the model",
        {
          $0.tensors["model.layers.0.extra.weight"] = Tensor.ones([2])
        }
      ),
      (
        "'\(attention)': one of its scales is infinite or not a number",
        {
          let scales = $0.tensors["model.layers.0.self_attn.q_proj.scales"] ?? Tensor.ones([1])
          $0.tensors["model.layers.0.self_attn.q_proj.scales"] = scales * Double.infinity
        }
      ),
      (
        "it has the type f32; expected u32",
        {
          $0.tensors["model.layers.0.self_attn.q_proj.weight"] = Tensor.ones([64, 16])
        }
      ),
      ("quantization.mode is 'nvfp4'; it must be 'affine' or 'mxfp4'", { $0.set("mode", "nvfp4") }),
      ("quantization.bits is 0", { $0.set("bits", 0) }),
      (
        "model.layers.0.mlp.gate is 'wide'; it must be an object",
        { $0.set("model.layers.0.mlp.gate", "wide") }
      ),
    ]
    for (expected, change) in cases {
      let found = try message("mlx-olmoe", change)
      #expect(found.contains(expected), "\(found)")
    }
  }

  @Test("of other programs are refused with the module")
  func others() throws {
    let cases: [(String, String, (inout PackedCopy) throws -> Void)] = [
      ("gptq-v1-4", "its zeros are neither all 8 nor all 7", { $0.set("sym", true) }),
      (
        "gptq-v1-4", "has the shape [8, 64], but the configuration says [16, 64]",
        { $0.set("bits", 8) }
      ),
      (
        "gptq-v1-4", "quantization_config.checkpoint_format is 'marlin'",
        {
          $0.set("checkpoint_format", "marlin")
        }
      ),
      ("gptq-v1-4", "9 bits; widths from 2 to 8 are read", { $0.set("bits", 9) }),
      ("gptq-v1-4", "its groups have 20 inputs", { $0.set("group_size", 20) }),
      ("gptq-v1-4", "quantization_config.pack_dtype is 'int16'", { $0.set("pack_dtype", "int16") }),
      (
        "gptq-v1-4", "config.json leaves it as it was, but it has packed weights",
        {
          $0.set("dynamic", .object(["-:.*q_proj": .object([:])]))
        }
      ),
      (
        "gptq-v1-4", "it must be a regular expression",
        {
          $0.set("dynamic", .object(["(": .object([:])]))
        }
      ),
      (
        "gptq-v1-4", "without repeated groups",
        { $0.set("dynamic", .object(["+:(.*)*(.*)*x$": .object([:])])) }
      ),
      (
        "gptq-v1-4", "quantization_config.format is 'gptq_v2'",
        { $0.set("format", "gptq_v2") }
      ),
      (
        "gptq-ordered", "do not all have 32 inputs",
        {
          $0.tensors["model.layers.0.self_attn.q_proj.g_idx"] = Tensor.zeros([64], dtype: .i32)
        }
      ),
      (
        "gptq-ordered", "a group beyond the 2",
        {
          $0.tensors["model.layers.0.self_attn.q_proj.g_idx"] = Tensor.full(5, [64], dtype: .i32)
        }
      ),
      (
        "gptq-planar-5", "quantization_config.quant_method is 'hqq'",
        { $0.set("quant_method", "hqq") }
      ),
      ("awq", "quantization_config.version is 'gemv'", { $0.set("version", "gemv") }),
      ("awq", "quantization_config.bits is 8; it must be 4", { $0.set("bits", 8) }),
      (
        "compressed-4", "quantization_config.format is 'float-quantized'",
        {
          $0.set("format", "float-quantized")
        }
      ),
      (
        "compressed-4", "but the configuration says",
        {
          $0.tensors["model.layers.0.self_attn.q_proj.weight_shape"] = Tensor([64, 63] as [Int64])
        }
      ),
      (
        "compressed-4", "no group of config.json is for it",
        {
          $0.set("config_groups", .object([:]))
        }
      ),
    ]
    for (name, expected, change) in cases {
      let found = try message(name, change)
      #expect(found.contains(expected), "\(name): \(found)")
    }
  }

  @Test("with biases of zeros for layers without one are read, with others refused")
  func idleBiases() throws {
    let name = "model.layers.0.self_attn.q_proj.bias"
    #expect(try message("gptq-v1-4") { $0.tensors[name] = Tensor.zeros([64], dtype: .f16) } == "")
    #expect(
      try message("gptq-v1-4") { $0.tensors[name] = Tensor.ones([64], dtype: .f16) }.contains(name))
  }

  /// Settings that are broken at random give settings or an error, nothing else.
  @Test(
    "with settings changed at random are read or refused",
    arguments: ["mlx-olmoe", "gptq-planar-5"])
  func mutants(name: String) throws {
    let path = Fixtures.path("packed").appending(name).appending("config.json")
    let json = try ConfigurationObject(path).values
    var settings = JSONObject()
    for key in PackedSchemes.keys { settings[key] = json[key] }
    let bytes = Array(try JSONText.pretty(settings).utf8)
    var generator = SeededGenerator(seed: 20_261_129)
    var (accepted, refused) = (0, 0)
    var copy = try PackedCopy(name)
    for _ in 0..<20_000 {
      do {
        let object = try ConfigurationObject(
          parsing: mutated(bytes, with: jsonBytes, using: &generator), in: path)
        _ = try PackedSchemes.scheme(of: object)
        accepted += 1
        guard accepted <= 300 else { continue }
        for key in PackedSchemes.keys { copy.json[key] = object.values[key] }
        _ = try copy.message()
      } catch is ConfigurationError { refused += 1 }
    }
    #expect(accepted > 100 && refused > 1_000, "\(accepted) accepted, \(refused) refused")
  }

  /// Files whose header is broken at random open or are refused, and so are descriptions of them.
  @Test(
    "whose tensors are changed at random open or are refused",
    arguments: ["mlx-olmoe", "gptq-v1-4"])
  func wholeFiles(name: String) throws {
    let folder = try TemporaryFolder()
    let source = Fixtures.path("packed").appending(name)
    _ = try folder.write(readBytes(source.appending("config.json")), to: "config.json")
    let good = try readBytes(source.appending("model.safetensors"))
    let header = 8 + good.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    var generator = SeededGenerator(seed: 20_261_130)
    var (opened, refused) = (0, 0)
    for _ in 0..<1_000 {
      var text = mutated(Array(good[8..<header]), with: jsonBytes, using: &generator)
      // Padding keeps most data where they were.
      while text.count < header - 8 { text.append(0x20) }
      let size = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
      let path = try folder.write(size + text + good[header...], to: "model.safetensors")
      do {
        _ = try ModelSummary(folder.path)
        _ = try MoEDecoder.open(folder.path)
        opened += 1
      } catch { refused += 1 }
      #expect(path.exists)
    }
    #expect(opened > 0 && refused > 500, "\(opened) opened, \(refused) refused")
  }

  @Test("with sizes that no computer has are refused")
  func hugeSizes() throws {
    for (name, tensor) in [
      ("mlx-olmoe", "\(attention).weight"), ("mlx-olmoe", "\(stack).scales"),
      ("gptq-v1-4", "\(attention).qweight"), ("compressed-4", "\(attention).weight_packed"),
    ] {
      for shape in [[0, 1 << 59], [1 << 59, 0], [0], []] {
        let found = try message(name) {
          let dtype = $0.tensors[tensor]?.dtype ?? .u32
          $0.tensors[tensor] = Tensor.uninitialized(shape, dtype: dtype)
          _ = try $0.message()
          _ = try? ModelSummary($0.folder.path)
        }
        #expect(found.contains(attention) || found.contains(stack), "\(shape): \(found)")
      }
    }
  }

  @Test("with settings that contradict each other, or change what is not read, are refused")
  func contradictions() throws {
    let query = "model.layers.0.self_attn.q_proj"
    let cases: [(String, String, (inout PackedCopy) throws -> Void)] = [
      (
        "mlx-olmoe", "or the same as 'quantization'",
        { $0.json["quantization_config"] = ["bits": 2, "group_size": 128] }
      ),
      (
        "compressed-4", "transform_config",
        { $0.set("transform_config", ["config_groups": ["R1": [:]]]) }
      ),
      ("compressed-4", "sparsity_config.format", { $0.set("sparsity_config", ["format": "24"]) }),
      ("compressed-4", "'ignore' for it", { $0.set("ignore", ["re:.*"]) }),
      ("compressed-4", "'ignore' for it", { $0.set("ignore", .array([.string(query)])) }),
      (
        "gptq-v1-4", "no such quantized module",
        { $0.set("dynamic", ["+:model\\.layers\\.7\\.q_proj$": ["bits": 4]]) }
      ),
      (
        "mlx-olmoe", "has the shape [32, 8], but the configuration says [6, 32, 8]",
        {
          let name = "model.layers.0.mlp.switch_mlp.up_proj"
          for part in ["weight", "scales", "biases"] {
            $0.tensors["\(name).\(part)"] = $0.tensors["\(name).\(part)"]?[0]
          }
        }
      ),
    ]
    for (name, expected, change) in cases {
      let found = try message(name, change)
      #expect(found.contains(expected), "\(name): \(found)")
    }
    // What older programs write beside the weights.
    let idle = try message("gptq-v1-4") {
      $0.tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = Tensor.ones([8])
    }
    #expect(idle == "")
  }

  @Test("with expressions whose search may be endless are refused, others read")
  func expressions() throws {
    let path = Fixtures.path("packed/gptq-v1-4/config.json")
    func accepts(_ pattern: String) -> Bool {
      let settings: JSONObject = [
        "quant_method": "gptq", "bits": 4, "group_size": 32,
        "dynamic": .object(["+:" + pattern: ["bits": 4]]),
      ]
      let json = ConfigurationObject(["quantization_config": .object(settings)], path: path)
      return (try? PackedSchemes.scheme(of: json)) != nil
    }
    for pattern in [
      String(repeating: ".?", count: 120) + "X", String(repeating: "(.|..)", count: 60) + "X",
      "(?x)(.*) *(.*) *X", "(?#[).*.*.*.*.*.*.*X", "(?^x)(.*) *(.*) *X", "\\Q[\\E?.*.*.*.*.*.*X",
      "(.*)*", "(a+)+$", ".*.*.*.*.*X", "((a|b)|(c|d))|((e|f)|g)(h|i)",
    ] { #expect(!accepts(pattern), "\(pattern)") }
    for pattern in [
      ".*(q|k|v|o)_proj$", "model\\.layers\\.[0-9]+\\.mlp\\..*", "a?b", "(?:up|down)_proj",
      ".*[*+?|(]x",
      ".*\\.experts\\.(3|5)\\..*",
    ] { #expect(accepts(pattern), "\(pattern)") }
  }

  @Test("with thousands of rules, one for each module, are read at once")
  func manyRules() throws {
    var rules = JSONObject()
    for layer in 0..<50 {
      for expert in 0..<128 {
        rules["+:model\\.layers\\.\(layer)\\.mlp\\.experts\\.\(expert)\\.up_proj"] = ["bits": 3]
      }
    }
    let path = Fixtures.path("packed/gptq-v1-4/config.json")
    let object = ConfigurationObject(["dynamic": .object(rules)], path: path)
    var found = ModuleRules<Int>()
    for (place, key) in try object.object("dynamic").values.keys.enumerated() {
      try found.add(String(key.dropFirst(2)), place, in: object, key: key)
    }
    #expect(found.value(for: "model.layers.49.mlp.experts.127.up_proj") == 50 * 128 - 1)
    #expect(found.value(for: "model.layers.3.mlp.experts.12.up_proj") == 3 * 128 + 12)
    #expect(found.value(for: "model.layers.3.mlp.experts.12.down_proj") == nil)
  }
}
