import Foundation
import MoECore
import MoEEvaluation
import MoEModels
import MoETensor
import SystemPackage

/// A sharded model of 8 GB: the time to open it, and the memory for measuring its perplexity.
enum LargeModel {
  private static let layers = 10
  private static let config = """
    {"model_type": "olmoe", "vocab_size": 32000, "hidden_size": 2048, "intermediate_size": 1024,
     "num_hidden_layers": \(layers), "num_attention_heads": 16, "num_key_value_heads": 16, "hidden_act": "silu",
     "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "num_experts": 64,
     "num_experts_per_tok": 8, "norm_topk_prob": false, "tie_word_embeddings": false,
     "eos_token_id": null, "pad_token_id": null, "dtype": "bfloat16"}
    """

  /// Prints both measurements with their targets.
  static func measure(in folder: FilePath) throws {
    let path = folder.appending("large")
    try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
    try write(to: path)
    defer { try? FileManager.default.removeItem(atPath: path.string) }
    var model: MoEDecoder?
    let clock = ContinuousClock()
    let seconds = try clock.measure { model = try MoEDecoder.open(path) } / Duration.seconds(1)
    guard let model else { return }
    let bytes = model.parameters.reduce(0) { $0 + $1.parameter.value.byteCount.bytes }
    let gigabytes = (Double(bytes) / 1e8).rounded() / 10
    print("\nopening \(gigabytes) GB in shards: \(seconds) s (target: below 1 s)")
    let before = privateMemory()
    var most = 0
    let tokens = (0..<1024).map { $0 * 7919 % 32000 }
    let took = try clock.measure {
      _ = try Perplexity.measure(
        model, PerplexityText(tokens: tokens, byteCounts: tokens.map { _ in 4 }, bytes: 4096),
        Perplexity.Settings(context: 512),
        progress: { _ in most = max(most, privateMemory() - before) })
    }
    let layer = bytes / layers
    print(
      "its perplexity on 1,024 tokens: \(took), \(most / 1_000_000) MB more private memory",
      "(target: below \(2 * layer / 1_000_000) MB, two layers, and activations)")
  }

  /// Shards of equal small values, written one tensor at a time.
  private static func write(to path: FilePath) throws {
    try AtomicFile.write(config, to: path.appending("config.json"))
    let (hidden, inner, vocabulary) = (2048, 1024, 32000)
    var items: [SafetensorsItem] = []
    func add(_ name: String, _ shape: [Int]) {
      items.append(SafetensorsItem(name: name + ".weight", dtype: .bf16, shape: shape))
    }
    add("model.embed_tokens", [vocabulary, hidden])
    add("lm_head", [vocabulary, hidden])
    add("model.norm", [hidden])
    for layer in (0..<layers).map({ "model.layers.\($0)." }) {
      for name in ["q_proj", "k_proj", "v_proj", "o_proj"] {
        add(layer + "self_attn." + name, [hidden, hidden])
      }
      for name in [
        "self_attn.q_norm", "self_attn.k_norm", "input_layernorm", "post_attention_layernorm",
      ] {
        add(layer + name, [hidden])
      }
      add(layer + "mlp.gate", [64, hidden])
      for expert in (0..<64).map({ layer + "mlp.experts.\($0)." }) {
        add(expert + "gate_proj", [inner, hidden])
        add(expert + "up_proj", [inner, hidden])
        add(expert + "down_proj", [hidden, inner])
      }
    }
    try SafetensorsCheckpoint.write(
      items, into: path, shardLimit: ByteCount(2_000_000_000)
    ) { item in
      Tensor.full(0.01, item.shape, dtype: .bf16)
    }
  }
}
