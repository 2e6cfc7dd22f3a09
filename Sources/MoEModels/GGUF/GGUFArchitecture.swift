import MoECore

/// How models of one `general.architecture` are stored in GGUF files.
///
/// Some of what changes answers is in no key, because llama.cpp fixes it for each architecture.
struct GGUFArchitecture: Sendable {
  /// The value of `general.architecture`, which is also the prefix of the model's keys.
  let name: String
  /// The family that reads the equivalent of `config.json`.
  let family: any DecoderFamily.Type
  /// The name of transformers' class.
  let transformersClass: String
  /// Whether rows of queries and keys are stored so that neighbours rotate together, as llama.cpp
  /// does for some architectures; in checkpoints, pairs are half a head apart.
  var rotatesNeighbours = false
  /// Whether the weights of a token's experts are divided by their sum; `nil` for a dense model.
  var renormalizes: Bool?
  /// Whether the file must have a head, even one that equals the embedding.
  var needsHead = false
  /// Adds the configuration keys of this architecture.
  let addKeys: @Sendable (inout GGUFMetadata) throws(GGUFError) -> Void

  /// Whether it has experts.
  var isSparse: Bool { renormalizes != nil }
}

extension GGUFArchitecture {
  /// The architecture of a file.
  ///
  /// - Throws: `GGUFError` that names the key.
  static func architecture(of file: GGUFFile) throws(GGUFError) -> GGUFArchitecture {
    try checkContents(of: file)
    let key = "general.architecture"
    guard let name = try file.optionalText(key) else { throw file.error(.missingKey(key)) }
    let candidates = all.filter { $0.name == name }
    guard !candidates.isEmpty else {
      let names = Set(all.map(\.name)).sorted().joined(separator: ", ")
      throw file.invalid(key, "one of \(names), the architectures that are read from GGUF")
    }
    let expertsKey = GGUFMetadata.expertsKey(name)
    let experts = try file.optionalInteger(expertsKey, in: 0...GGUFMetadata.mostExperts) ?? 0
    guard let match = candidates.first(where: { $0.isSparse == (experts > 0) }) else {
      throw file.invalid(expertsKey, "a number of experts above 0")
    }
    return match
  }

  /// Refuses files with anything but a whole model.
  private static func checkContents(of file: GGUFFile) throws(GGUFError) {
    let type = "general.type"
    guard try file.optionalText(type) ?? "model" == "model" else {
      throw file.invalid(type, "'model', because weights are needed")
    }
    let parts = "split.count"
    guard try file.optionalInteger(parts, in: 0...(1 << 16)) ?? 1 <= 1 else {
      throw file.invalid(parts, "1; join the parts into one file with llama-gguf-split first")
    }
  }

  /// The architectures that are read.
  static let all = [
    GGUFArchitecture(
      name: "llama", family: Llama.self, transformersClass: "LlamaForCausalLM",
      rotatesNeighbours: true, addKeys: llama),
    GGUFArchitecture(
      name: "llama", family: Mixtral.self, transformersClass: "MixtralForCausalLM",
      rotatesNeighbours: true, renormalizes: true, addKeys: mixtral),
    GGUFArchitecture(
      name: "olmoe", family: OLMoE.self, transformersClass: "OlmoeForCausalLM",
      renormalizes: false, needsHead: true, addKeys: olmoe),
    GGUFArchitecture(
      name: "qwen2moe", family: Qwen2MoE.self, transformersClass: "Qwen2MoeForCausalLM",
      renormalizes: false, needsHead: true, addKeys: qwen2MoE),
    GGUFArchitecture(
      name: "qwen3moe", family: Qwen3MoE.self, transformersClass: "Qwen3MoeForCausalLM",
      renormalizes: true, addKeys: qwen3MoE),
    GGUFArchitecture(
      name: "deepseek", family: DeepSeekMoE.self, transformersClass: "DeepseekForCausalLM",
      rotatesNeighbours: true, renormalizes: false, addKeys: deepSeek),
  ]

  @Sendable private static func llama(_ metadata: inout GGUFMetadata) throws(GGUFError) {
    try metadata.set("intermediate_size", from: "feed_forward_length")
    metadata.setBias("attention_bias", of: "attn_q")
    metadata.setBias("mlp_bias", of: "ffn_down")
  }

  @Sendable private static func mixtral(_ metadata: inout GGUFMetadata) throws(GGUFError) {
    try metadata.setExperts("num_local_experts")
    try metadata.set("intermediate_size", from: "feed_forward_length")
  }

  @Sendable private static func olmoe(_ metadata: inout GGUFMetadata) throws(GGUFError) {
    try metadata.setExperts("num_experts")
    try metadata.set("intermediate_size", from: "feed_forward_length")
    metadata.setBias("attention_bias", of: "attn_q")
  }

  @Sendable private static func qwen2MoE(_ metadata: inout GGUFMetadata) throws(GGUFError) {
    try metadata.setExperts("num_experts")
    try metadata.setExpertSize("moe_intermediate_size")
    // llama.cpp's default, which older files rely on.
    let shared = "expert_shared_feed_forward_length"
    try metadata.set(
      "shared_expert_intermediate_size",
      from: metadata.has(shared) ? shared : "feed_forward_length")
    try metadata.check("expert_shared_count", is: 1)
    metadata.setBias("qkv_bias", of: "attn_q")
  }

  @Sendable private static func qwen3MoE(_ metadata: inout GGUFMetadata) throws(GGUFError) {
    try metadata.setExperts("num_experts")
    try metadata.setExpertSize("moe_intermediate_size")
    metadata.setBias("attention_bias", of: "attn_q")
  }

  @Sendable private static func deepSeek(_ metadata: inout GGUFMetadata) throws(GGUFError) {
    try metadata.setExperts("n_routed_experts")
    try metadata.set("moe_intermediate_size", from: "expert_feed_forward_length")
    try metadata.set("intermediate_size", from: "feed_forward_length")
    try metadata.set("n_shared_experts", from: "expert_shared_count", in: 0...4096)
    try metadata.set("first_k_dense_replace", from: "leading_dense_block_count", in: 0...4096)
    metadata.setBias("attention_bias", of: "attn_q")
  }
}
