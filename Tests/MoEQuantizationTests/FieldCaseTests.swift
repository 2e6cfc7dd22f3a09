import MoECore
import MoEModels
import MoEQuantization
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// What quantization of mixtures of experts went wrong with in other programs.
@Suite("Quantized mixtures of experts")
struct FieldCaseTests {
  private func model(_ family: String) throws -> StoredModel {
    try StoredModel(Fixtures.path("decoders").appending(family))
  }

  private func logits(_ model: MoEDecoder) -> Tensor {
    model.read([SequencePart(tokens: [1, 2, 3, 4], cache: model.makeCache())], as: .prompt).logits
  }

  /// [GPTQModel#1439](https://github.com/ModelCloud/GPTQModel/issues/1439): a gate with a single output.
  @Test("keep gates with any number of outputs at 16 bits, and pack them if told to")
  func gates() throws {
    let stored = try model("qwen2_moe")
    let modules = try stored.linearModules()
    let gates = modules.filter { $0.kind == .router }
    #expect(gates.contains { $0.name.hasSuffix("shared_expert_gate") && $0.shape[0] == 1 })
    let usual = try BitMap(parsing: "4").plan(for: modules)
    #expect(usual.modules.filter { $0.kind == .router }.allSatisfy { $0.format == nil })
    let forced = try BitMap(parsing: "router=2g32").plan(for: modules)
    #expect(
      forced.notes.contains { $0.hasPrefix("\(gates.count) routers get 2 bits") },
      "\(forced.notes)")
    let packed = try stored.decoder(as: WeightForm(packing: WeightPacking(forced.formats)))
    #expect(
      gates.allSatisfy { gate in packed.packedWeights.contains { $0.name == gate.name + ".weight" }
      })
    #expect(logits(packed).isFinite().array(of: Bool.self).allSatisfy { $0 })
  }

  /// Stacks experts as transformers 5 does: `gate_up_proj` and `down_proj` of three dimensions, without `.weight`.
  private func stacked(_ prefix: String, in folder: TemporaryFolder) throws -> StoredModel {
    let path = Fixtures.path("decoders/olmoe")
    let checkpoint = try SafetensorsCheckpoint(path)
    var tensors: [String: Tensor] = [:]
    for entry in checkpoint.entries {
      tensors[entry.name] = try checkpoint.tensor(named: entry.name)
    }
    let configuration = try StoredModel(path).configuration
    let count = configuration.experts
    for layer in configuration.layers.indices {
      let block = "model.layers.\(layer).mlp.experts"
      func take(_ expert: Int, _ name: String) throws -> Tensor {
        let taken = tensors.removeValue(forKey: "\(block).\(expert).\(name).weight")
        return try #require(taken)
      }
      tensors["\(block).gate_up_proj"] = Tensor.stacked(
        try (0..<count).map {
          Tensor.concatenated([try take($0, "gate_proj"), try take($0, "up_proj")], axis: 0)
        })
      tensors["\(block).down_proj"] = Tensor.stacked(
        try (0..<count).map { try take($0, "down_proj") })
    }
    let renamed = tensors.map { name, tensor in
      (name.hasPrefix("model.") ? prefix + name.dropFirst("model.".count) : name, tensor)
    }
    try SafetensorsFile.write(
      Dictionary(uniqueKeysWithValues: renamed), to: folder.file("model.safetensors"))
    let config = try ConfigurationObject(path.appending("config.json")).values
    try AtomicFile.write(JSONText.pretty(config), to: folder.file("config.json"))
    return try StoredModel(folder.path)
  }

  /// [GPTQModel#2694](https://github.com/ModelCloud/GPTQModel/issues/2694): stacks that stay at 16 bits unnoticed.
  @Test(
    "pack experts that are stored as stacks, in the size that was planned",
    arguments: ["model.", "", "model.language_model.", "language_model.model."])
  func stacks(prefix: String) throws {
    let (source, target) = (try TemporaryFolder(), try TemporaryFolder())
    let stored = try stacked(prefix, in: source)
    let plan = try BitMap(parsing: "3g32").plan(for: stored.linearModules())
    let experts = plan.modules.filter { $0.kind == .experts }
    #expect(!experts.isEmpty && experts.allSatisfy { $0.format?.bits == 3 })
    let out = target.file("packed")
    try ModelQuantizer(stored, plan, RoundToNearest(), named: "rtn").write(to: out)
    let file = try SafetensorsFile(out.appending("model.safetensors"))
    let formats = plan.formats
    var bytes = 0
    for entry in file.header.entries {
      let module = entry.name.split(separator: ".").dropLast().joined(separator: ".")
      if formats[module] != nil { bytes += file.fileRange(of: entry).count }
    }
    let planned = plan.modules.reduce(0) { sum, module in
      sum + (module.format?.bytes(shape: module.shape, scale: 4) ?? 0)
    }
    #expect(bytes == planned)
    let packed = try StoredModel(out).decoder(dtype: .f32)
    #expect(packed.packedWeights.count == formats.count)
    let whole = try model("olmoe").decoder(
      as: WeightForm(dtype: .f32, packing: WeightPacking(formats)))
    expectClose(logits(packed), logits(whole), .bf16)
  }

  @Test("are refused where a stack has a name that the model does not know")
  func unknownStacks() throws {
    let (folder, renamed) = (try TemporaryFolder(), try TemporaryFolder())
    _ = try stacked("model.", in: folder)
    let checkpoint = try SafetensorsCheckpoint(folder.path)
    var tensors: [String: Tensor] = [:]
    for entry in checkpoint.entries {
      let name = entry.name.replacing("layers.1.mlp.experts.gate_up_proj", with: "layers.1.mlp.x")
      tensors[name] = try checkpoint.tensor(named: entry.name)
    }
    try SafetensorsFile.write(tensors, to: renamed.file("model.safetensors"))
    _ = try renamed.write(readBytes(folder.file("config.json")), to: "config.json")
    let stored = try StoredModel(renamed.path)
    for packing in [nil, WeightPacking([:])] {
      let error = #expect(throws: ModelError.self) {
        try stored.decoder(as: WeightForm(packing: packing))
      }
      let text = error.map { "\($0)" } ?? ""
      #expect(
        text.contains("'model.layers.1.mlp.experts.0.gate_proj.weight' is missing"), "\(text)")
    }
  }

  /// [imp#1159](https://github.com/kekzl/imp/issues/1159): a router that was quantized with the rest.
  @Test("say so when a rule for everything takes the router, too")
  func allModules() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      Array(#"{"rules": [{"match": ".*", "bits": 4, "group": 32}]}"#.utf8), to: "map.json")
    let modules = try model("deepseek").linearModules()
    let routers = modules.filter { $0.kind == .router }.count
    let plan = try BitMap(path).plan(for: modules)
    #expect(
      plan.notes.contains {
        $0.contains("router") && $0.contains("4 bits") && $0.contains("experts that tokens choose")
      }, "\(plan.notes)")
    #expect(routers > 0 && plan.formats.count == modules.count)
  }
}
