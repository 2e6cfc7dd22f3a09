import MoECore
import MoETensor
import SystemPackage

/// A dense Llama model in a GGUF file, with the names and layout of Hugging Face checkpoints.
final class LlamaGGUF {
  let file: GGUFFile
  /// The equivalent of `config.json`.
  let configuration: ConfigurationObject
  private let heads: Int
  private let keyHeads: Int
  /// The file's tensors by their names in checkpoints.
  private let tensors: [String: GGUFTensor]

  /// Reads metadata and names.
  ///
  /// - Throws: `GGUFError` if the file has another architecture or needs unsupported features.
  init(_ file: GGUFFile) throws(GGUFError) {
    self.file = file
    let metadata = try LlamaMetadata(file)
    configuration = ConfigurationObject(metadata.keys, path: file.path)
    (heads, keyHeads) = (metadata.heads, metadata.keyHeads)
    var tensors: [String: GGUFTensor] = [:]
    for tensor in file.tensors {
      tensors[try Self.checkpointName(of: tensor, in: file)] = tensor
    }
    self.tensors = tensors
  }

  /// The names of all tensors, in alphabetical order.
  var names: [String] { tensors.keys.sorted() }

  /// The file.
  var path: FilePath { file.path }

  /// The header of a tensor; its type is `nil` for quantized blocks.
  func header(named name: String) -> TensorHeader? {
    tensors[name].map { TensorHeader(shape: $0.shape, dtype: $0.type.dtype) }
  }

  /// The entry of a tensor.
  func entry(named name: String) -> GGUFTensor? { tensors[name] }

  /// A tensor in the layout of a checkpoint.
  func tensor(named name: String) throws -> Tensor {
    guard let entry = tensors[name] else { throw file.error(.noSuchTensor(name)) }
    let elements = try file.elements(of: entry.name)
    return switch Self.projection(in: name) {
    case "q_proj": Self.halved(elements, heads: heads)
    case "k_proj": Self.halved(elements, heads: keyHeads)
    default: elements
    }
  }

  private static func projection(in name: String) -> Substring {
    name.split(separator: ".").dropLast().last ?? ""
  }

  /// Undoes the row permutation that the format's converter applies to queries and keys.
  ///
  /// llama.cpp rotates adjacent rows of a head, transformers rows that are half a head apart.
  private static func halved(_ x: Tensor, heads: Int) -> Tensor {
    let rows = x.size(0)
    // The caller rejects other shapes.
    guard rows.isMultiple(of: 2 * heads) else { return x }
    return x.reshaped([heads, rows / heads / 2, 2, -1]).transposed(1, 2).contiguous()
      .reshaped(x.shape)
  }

  // MARK: Names

  private static let outer = [
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
  ]
  private static let inner = [
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
  ]

  private static func checkpointName(
    of tensor: GGUFTensor, in file: GGUFFile
  ) throws(GGUFError) -> String {
    let parts = tensor.name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let ends = ["weight", "bias"]
    if parts.count == 2, ends.contains(parts[1]), let name = outer[parts[0]] {
      return "\(name).\(parts[1])"
    }
    if parts.count == 4, parts[0] == "blk", let layer = Int(parts[1]), "\(layer)" == parts[1],
      ends.contains(parts[3]), let name = inner[parts[2]]
    {
      return "model.layers.\(layer).\(name).\(parts[3])"
    }
    throw file.error(.unsupported("the tensor '\(tensor.name)' in a dense Llama model"))
  }
}

extension LlamaGGUF: TensorStore {}

/// The metadata of a Llama model, checked and converted to the keys of `config.json`.
private struct LlamaMetadata {
  let file: GGUFFile
  let heads: Int
  let keyHeads: Int
  private(set) var keys: JSONObject = [:]
  private static let prefix = "llama."

  init(_ file: GGUFFile) throws(GGUFError) {
    self.file = file
    guard let architecture = try file.optionalText("general.architecture") else {
      throw file.error(.missingKey("general.architecture"))
    }
    guard architecture == "llama" else {
      throw file.invalid("general.architecture", "'llama', the only architecture read from GGUF")
    }
    let size = CommonKeys.size
    heads = try file.integer(Self.prefix + "attention.head_count", in: 1...4096)
    keyHeads =
      try file.optionalInteger(Self.prefix + "attention.head_count_kv", in: 1...4096) ?? heads
    let experts = try file.optionalInteger(Self.prefix + "expert_count", in: 0...(1 << 20)) ?? 0
    guard experts == 0 else {
      throw file.invalid(
        Self.prefix + "expert_count", "absent: only dense models are read from GGUF")
    }
    set("model_type", "llama")
    set("architectures", .array([.string("LlamaForCausalLM")]))
    set("hidden_act", "silu")
    set("num_attention_heads", heads)
    set("num_key_value_heads", keyHeads)
    try set("num_hidden_layers", from: "block_count", in: 1...4096)
    try set("hidden_size", from: "embedding_length", in: size)
    try set("intermediate_size", from: "feed_forward_length", in: size)
    try set("max_position_embeddings", from: "context_length", in: 1...(1 << 30))
    try setVocabulary()
    try setHeadSize()
    try setPositions()
    guard let epsilon = try file.optionalPositive(Self.prefix + "attention.layer_norm_rms_epsilon")
    else { throw file.error(.missingKey(Self.prefix + "attention.layer_norm_rms_epsilon")) }
    keys["rms_norm_eps"] = .number(epsilon)
    keys["tie_word_embeddings"] = .bool(!file.contains("output.weight"))
    let hasAttentionBias = file.contains("blk.0.attn_q.bias")
    keys["attention_bias"] = .bool(hasAttentionBias)
    keys["mlp_bias"] = .bool(file.contains("blk.0.ffn_down.bias"))
  }

  private mutating func set(_ key: String, _ value: JSONValue) { keys[key] = value }
  private mutating func set(_ key: String, _ text: String) { keys[key] = .string(text) }
  private mutating func set(_ key: String, _ number: Int) { keys[key] = .number(Double(number)) }

  private mutating func set(
    _ key: String, from name: String, in range: ClosedRange<Int>
  ) throws(GGUFError) {
    set(key, try file.integer(Self.prefix + name, in: range))
  }

  /// The embedding determines the vocabulary size; the tokenizer may have fewer tokens.
  private mutating func setVocabulary() throws(GGUFError) {
    let embedding = try file.tensor(named: "token_embd.weight")
    guard embedding.shape.count == 2 else {
      throw file.error(
        .invalidShape(
          tensor: embedding.name, shape: embedding.shape.reversed().map { UInt64($0) },
          expected: "it must have two dimensions"))
    }
    set("vocab_size", embedding.shape[0])
    let begin = try file.optionalInteger("tokenizer.ggml.bos_token_id", in: 0...(1 << 24))
    keys["bos_token_id"] = begin.map { .number(Double($0)) } ?? .null
    let ends = try file.endTokens().map { JSONValue.number(Double($0)) }
    keys["eos_token_id"] = ends.count > 1 ? .array(ends) : ends.first ?? .null
  }

  private mutating func setHeadSize() throws(GGUFError) {
    let range = 2...(1 << 16)
    let key = Self.prefix + "attention.key_length"
    let size = try file.optionalInteger(key, in: range)
    let valueKey = Self.prefix + "attention.value_length"
    let valueSize = try file.optionalInteger(valueKey, in: range)
    guard size == valueSize else { throw file.invalid(valueKey, "the same as \(key)") }
    if let size { set("head_dim", size) }
    let turnedKey = Self.prefix + "rope.dimension_count"
    let hidden = try file.integer(Self.prefix + "embedding_length", in: CommonKeys.size)
    let head = size ?? hidden / heads
    guard let turned = try file.optionalInteger(turnedKey, in: 1...(1 << 16)), turned != head
    else { return }
    throw file.invalid(turnedKey, "\(head), the whole of a head")
  }

  private mutating func setPositions() throws(GGUFError) {
    // The format's default, which older files rely on.
    let base = try file.optionalPositive(Self.prefix + "rope.freq_base") ?? 10_000
    var parameters: JSONObject = [
      "rope_theta": .number(base), "rope_type": .string("default"),
    ]
    if let factor = try linearFactor() {
      parameters["rope_type"] = .string("linear")
      parameters["factor"] = .number(factor)
    }
    keys["rope_theta"] = .number(base)
    keys["rope_parameters"] = .object(parameters)
    try checkPositionKeys()
  }

  /// The factor of linear scaling, which llama.cpp assumes where no type is named; older files have it under another key.
  private func linearFactor() throws(GGUFError) -> Double? {
    let key = Self.prefix + "rope.scaling.type"
    switch try file.optionalText(key) {
    case "none": return nil
    case nil, "linear":
      let (newer, older) = (Self.prefix + "rope.scaling.factor", Self.prefix + "rope.scale_linear")
      return try positiveUnlessZero(file.metadata[newer] == nil ? older : newer)
    default: throw file.invalid(key, "'none' or 'linear'")
    }
  }

  /// A number above 0; 0 means that there is none.
  private func positiveUnlessZero(_ key: String) throws(GGUFError) -> Double? {
    switch file.metadata[key] {
    case .float(0), .double(0): nil
    default: try file.optionalPositive(key)
    }
  }

  /// Refuses keys about positions that are not known, because they may change every answer.
  private func checkPositionKeys() throws(GGUFError) {
    let prefix = Self.prefix + "rope."
    let known = [
      "dimension_count", "freq_base", "scale_linear", "scaling.type", "scaling.factor",
      // What the model was trained with; scaling by a factor does not need it.
      "scaling.original_context_length", "scaling.finetuned",
    ].map { prefix + $0 }
    let unknown = file.metadata.keys.filter { $0.hasPrefix(prefix) && !known.contains($0) }
    if let key = unknown.min() {
      throw file.invalid(key, "absent, because it is not known how it changes positions")
    }
  }
}
