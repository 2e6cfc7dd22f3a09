import MoECore

extension JSONValue {
  static func whole(_ value: Int) -> Self { .number(Double(value)) }
}

extension ResolvedPlan {
  /// The new model's `config.json`.
  ///
  /// - Parameter json: The dense model's configuration, for keys that do not affect the
  ///   architecture.
  /// - Returns: The text.
  /// - Throws: An error if a number cannot be represented in JSON.
  func configurationText(_ json: ConfigurationObject) throws -> String {
    var keys = commonKeys
    keys["bos_token_id"] = json.value("bos_token_id")
    keys["eos_token_id"] = json.value("eos_token_id")
    keys.merge(configuration.family == Mixtral.modelType ? mixtralKeys : ownKeys) { $1 }
    return try Self.text(keys)
  }

  /// A record of the settings, stored in the folder for reference.
  func recordText(source: String) throws -> String {
    try Self.text([
      "source": .string(source), "experts": .whole(plan.experts), "k": .whole(plan.k),
      "split": .whole(plan.split), "noise": .number(plan.noise),
      "seed": .string("\(plan.seed)"), "dtype": .string(dtype.rawValue),
      "layers": .array(places.sorted().map { .whole($0) }),
    ])
  }

  private static func text(_ keys: JSONObject) throws -> String {
    try JSONText.pretty(keys)
  }

  private var commonKeys: JSONObject {
    let c = configuration
    return [
      "model_type": .string(c.family), "vocab_size": .whole(c.vocabularySize),
      "hidden_size": .whole(c.hiddenSize), "num_hidden_layers": .whole(c.layers.count),
      "num_attention_heads": .whole(c.heads), "num_key_value_heads": .whole(c.keyHeads),
      "head_dim": .whole(c.headSize), "max_position_embeddings": .whole(c.contextLength),
      "rms_norm_eps": .number(c.epsilon), "rope_theta": .number(c.rotaryBase),
      "hidden_act": .string(c.activation.rawValue),
      "tie_word_embeddings": .bool(c.tiesEmbeddings), "dtype": .string(dtype.configurationName),
    ]
  }

  private var mixtralKeys: JSONObject {
    let c = configuration
    var rotary = c.rotaryScaling.keys
    var keys: JSONObject = [
      "architectures": .array([.string("MixtralForCausalLM")]),
      "intermediate_size": .whole(c.expertInner), "num_local_experts": .whole(c.experts),
      "num_experts_per_tok": .whole(plan.k), "sliding_window": .null,
      "router_aux_loss_coef": .number(c.balanceCoefficient),
    ]
    // transformers 4 reads the older key, version 5 the newer one.
    if c.rotaryScaling != .none { keys["rope_scaling"] = .object(rotary) }
    rotary["rope_theta"] = .number(c.rotaryBase)
    keys["rope_parameters"] = .object(rotary)
    return keys
  }

  private var ownKeys: JSONObject {
    let c = configuration
    var keys: JSONObject = [
      "num_experts": .whole(c.experts), "expert_size": .whole(c.expertInner),
      "balance_coefficient": .number(c.balanceCoefficient),
      "router": .object([
        "type": .string("token_choice"), "k": .whole(plan.k), "renormalize": .bool(true),
      ]),
    ]
    let dense = c.layers.indices.filter { !places.contains($0) }
    if let first = dense.first, case .dense(let inner) = c.layers[first] {
      keys["dense_layers"] = .array(dense.map { .whole($0) })
      keys["dense_size"] = .whole(inner)
    }
    if c.hasAttentionBias { keys["attention_bias"] = .bool(true) }
    if c.rotaryScaling != .none { keys["rope_scaling"] = .object(c.rotaryScaling.keys) }
    return keys
  }
}

extension RotaryEmbedding.Scaling {
  /// The scaling in the format of `config.json`.
  fileprivate var keys: JSONObject {
    switch self {
    case .none: ["rope_type": .string("default")]
    case .linear(let factor): ["rope_type": .string("linear"), "factor": .number(factor)]
    case .llama3(let factor, let low, let high, let length):
      [
        "rope_type": .string("llama3"), "factor": .number(factor), "low_freq_factor": .number(low),
        "high_freq_factor": .number(high), "original_max_position_embeddings": .whole(length),
      ]
    case .yarn(let factor, let fast, let slow, let length, let attention, let truncates):
      [
        "rope_type": .string("yarn"), "factor": .number(factor), "beta_fast": .number(fast),
        "beta_slow": .number(slow), "original_max_position_embeddings": .whole(length),
        "attention_factor": .number(attention), "truncate": .bool(truncates),
      ]
    }
  }
}
