import MoECore

/// The metadata of a model, checked and converted to the keys of `config.json`.
///
/// Every key of the architecture must be known, because another one may change every answer.
struct GGUFMetadata {
  let file: GGUFFile
  let architecture: GGUFArchitecture
  /// Number of experts; 0 for a dense model.
  let experts: Int
  let heads: Int
  let keyHeads: Int
  let layers: Int
  let hidden: Int
  /// The configuration.
  private(set) var keys: JSONObject = [:]
  /// The keys that were read, without prefix.
  private var used: Set<String> = []

  static let mostExperts = 1 << 16
  /// Keys that change no answer.
  private static let harmless: Set<String> = [
    "tensor_data_layout", "expert_count", "attention.head_count",
    "attention.head_count_kv", "rope.scale_linear",
    // What the model was trained with; scaling by a factor does not need it.
    "rope.scaling.original_context_length", "rope.scaling.finetuned",
  ]

  static func expertsKey(_ architecture: String) -> String { architecture + ".expert_count" }

  /// Reads the keys of an architecture.
  ///
  /// - Throws: `GGUFError` that names the key.
  init(_ file: GGUFFile, _ architecture: GGUFArchitecture) throws(GGUFError) {
    (self.file, self.architecture) = (file, architecture)
    let prefix = architecture.name + "."
    experts =
      try file.optionalInteger(Self.expertsKey(architecture.name), in: 0...Self.mostExperts) ?? 0
    heads = try file.integer(prefix + "attention.head_count", in: 1...4096)
    keyHeads = try file.optionalInteger(prefix + "attention.head_count_kv", in: 1...4096) ?? heads
    layers = try file.integer(prefix + "block_count", in: 1...4096)
    hidden = try file.integer(prefix + "embedding_length", in: CommonKeys.size)
    set("model_type", architecture.family.modelType)
    set("architectures", .array([.string(architecture.transformersClass)]))
    set("hidden_act", "silu")
    set("num_attention_heads", heads)
    set("num_key_value_heads", keyHeads)
    try set("num_hidden_layers", from: "block_count", in: 1...4096)
    try set("hidden_size", from: "embedding_length")
    try set("max_position_embeddings", from: "context_length", in: 1...(1 << 30))
    try setVocabulary()
    try setHeadSize()
    try setPositions()
    guard let epsilon = try optionalPositive("attention.layer_norm_rms_epsilon") else {
      throw file.error(.missingKey(key("attention.layer_norm_rms_epsilon")))
    }
    set("rms_norm_eps", .number(epsilon))
    try setHead()
    try architecture.addKeys(&self)
    try checkFixedRules()
    try checkAllUsed()
  }

  // MARK: Keys

  /// The full name of a key.
  func key(_ name: String) -> String { "\(architecture.name).\(name)" }

  /// Whether the file has a key.
  func has(_ name: String) -> Bool { file.metadata[key(name)] != nil }

  mutating func optionalInteger(
    _ name: String, in range: ClosedRange<Int>
  ) throws(GGUFError) -> Int? {
    used.insert(name)
    return try file.optionalInteger(key(name), in: range)
  }

  mutating func optionalPositive(_ name: String) throws(GGUFError) -> Double? {
    used.insert(name)
    return try file.optionalPositive(key(name))
  }

  /// A number above 0; 0 means that there is none.
  mutating func positiveUnlessZero(_ name: String) throws(GGUFError) -> Double? {
    used.insert(name)
    switch file.metadata[key(name)] {
    case .float(0), .double(0): return nil
    default: return try file.optionalPositive(key(name))
    }
  }

  mutating func optionalText(_ name: String) throws(GGUFError) -> String? {
    used.insert(name)
    return try file.optionalText(key(name))
  }

  mutating func set(_ key: String, _ value: JSONValue) { keys[key] = value }
  mutating func set(_ key: String, _ text: String) { keys[key] = .string(text) }
  mutating func set(_ key: String, _ number: Int) { keys[key] = .number(Double(number)) }

  /// Sets a key of the configuration from a required one of the file.
  mutating func set(
    _ configurationKey: String, from name: String, in range: ClosedRange<Int> = CommonKeys.size
  ) throws(GGUFError) {
    used.insert(name)
    set(configurationKey, try file.integer(key(name), in: range))
  }

  /// Sets whether layers have a bias, which only the tensors tell.
  mutating func setBias(_ configurationKey: String, of tensor: String) {
    set(configurationKey, .bool(file.contains("blk.0.\(tensor).bias")))
  }

  /// Refuses any value but one of a key that may be absent.
  mutating func check(_ name: String, is value: Int) throws(GGUFError) {
    guard let found = try optionalInteger(name, in: 0...(1 << 30)), found != value else { return }
    throw file.invalid(key(name), "\(value)")
  }

  // MARK: Experts

  /// Sets the number of experts, and how many a token has.
  mutating func setExperts(_ configurationKey: String) throws(GGUFError) {
    set(configurationKey, experts)
    try set("num_experts_per_tok", from: "expert_used_count", in: 1...experts)
    set("norm_topk_prob", .bool(architecture.renormalizes ?? false))
  }

  /// Sets the width of an expert; where it is absent, llama.cpp divides that of a dense network.
  mutating func setExpertSize(_ configurationKey: String) throws(GGUFError) {
    let name = "expert_feed_forward_length"
    if has(name) {
      _ = try optionalInteger("feed_forward_length", in: 0...CommonKeys.size.upperBound)
      return try set(configurationKey, from: name)
    }
    used.insert("feed_forward_length")
    let whole = try file.integer(key("feed_forward_length"), in: CommonKeys.size)
    let used = try file.integer(key("expert_used_count"), in: 1...experts)
    guard whole.isMultiple(of: used) else { throw file.error(.missingKey(key(name))) }
    set(configurationKey, whole / used)
  }

  /// Refuses keys that contradict what llama.cpp fixes, and features that are not supported.
  private mutating func checkFixedRules() throws(GGUFError) {
    // 1 is softmax.
    try check("expert_gating_func", is: 1)
    for name in ["expert_group_count", "expert_group_used_count"] {
      if let count = try optionalInteger(name, in: 0...Self.mostExperts), count > 1 {
        throw file.invalid(key(name), "1: groups of experts are not supported")
      }
    }
    if let scale = try positiveUnlessZero("expert_weights_scale"), scale != 1 {
      throw file.invalid(key("expert_weights_scale"), "1")
    }
    let expected = [("expert_weights_norm", architecture.renormalizes), ("attention.causal", true)]
    for (name, expected) in expected {
      used.insert(name)
      let found = try file.optionalTruth(key(name))
      guard let found, found != expected else { continue }
      throw file.invalid(
        key(name), "\(expected.map { "\($0)" } ?? "absent") in '\(architecture.name)'")
    }
    try checkWindow()
  }

  /// A sliding window is ignored by llama.cpp, and must not limit any token.
  private mutating func checkWindow() throws(GGUFError) {
    let name = "attention.sliding_window"
    let window = try optionalInteger(name, in: 0...(1 << 30)) ?? 0
    let context = try file.integer(key("context_length"), in: 1...(1 << 30))
    guard window == 0 || window >= context else {
      throw file.invalid(key(name), "absent or at least \(context), the context length")
    }
  }

  private func checkAllUsed() throws(GGUFError) {
    let prefix = architecture.name + "."
    let unknown = file.metadata.keys.filter {
      $0.hasPrefix(prefix) && !used.contains(String($0.dropFirst(prefix.count)))
        && !Self.harmless.contains(String($0.dropFirst(prefix.count)))
    }
    if let key = unknown.min() {
      throw file.invalid(key, "absent, because it is not known how it changes the model")
    }
  }

  // MARK: Sizes

  /// The embedding determines the vocabulary size; the tokenizer may have fewer tokens.
  private mutating func setVocabulary() throws(GGUFError) {
    let embedding = try file.tensor(named: "token_embd.weight")
    guard embedding.shape.count == 2 else {
      throw file.wrongShape(embedding, "it must have two dimensions")
    }
    let rows = embedding.shape[0]
    set("vocab_size", rows)
    if let size = try optionalInteger("vocab_size", in: 0...(1 << 30)), size > rows {
      throw file.invalid(key("vocab_size"), "at most \(rows), the rows of token_embd.weight")
    }
    let begin = try file.optionalInteger("tokenizer.ggml.bos_token_id", in: 0...(1 << 24))
    set("bos_token_id", begin.map { .number(Double($0)) } ?? .null)
    let ends = try file.endTokens(rows: rows).map { JSONValue.number(Double($0)) }
    set("eos_token_id", ends.count > 1 ? .array(ends) : ends.first ?? .null)
  }

  private mutating func setHead() throws(GGUFError) {
    let hasHead = file.contains("output.weight")
    guard hasHead || !architecture.needsHead else {
      throw file.error(.noSuchTensor("output.weight"))
    }
    set("tie_word_embeddings", .bool(!hasHead))
  }

  private mutating func setHeadSize() throws(GGUFError) {
    let range = 2...(1 << 16)
    let size = try optionalInteger("attention.key_length", in: range)
    guard try optionalInteger("attention.value_length", in: range) == size else {
      throw file.invalid(
        key("attention.value_length"), "the same as \(key("attention.key_length"))")
    }
    if let size { set("head_dim", size) }
    let head = size ?? hidden / heads
    let rotated = try optionalInteger("rope.dimension_count", in: 1...(1 << 16))
    guard let rotated, rotated != head else { return }
    throw file.invalid(key("rope.dimension_count"), "\(head), the whole of a head")
  }
}

extension GGUFFile {
  /// An error about a tensor's shape.
  func wrongShape(_ tensor: GGUFTensor, _ expected: String) -> GGUFError {
    error(
      .invalidShape(
        tensor: tensor.name, shape: tensor.shape.reversed().map { UInt64($0) }, expected: expected))
  }
}
