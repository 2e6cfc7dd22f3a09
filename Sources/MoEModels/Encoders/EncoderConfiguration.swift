public import MoECore

/// The architecture of a text encoder.
public struct EncoderConfiguration: Hashable, Sendable {
  /// The kinds of encoders, by their `model_type`.
  public enum Family: String, Hashable, Sendable, CaseIterable {
    /// BERT (Devlin et al. 2019, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805)), including
    /// MiniLM.
    case bert
    /// DistilBERT (Sanh et al. 2019, [arXiv:1910.01108](https://arxiv.org/abs/1910.01108)).
    case distilbert
    /// Embeddings without attention: the sequence is the embeddings, the pooled view a small
    /// network on their mean, which is independent of order.
    case bag
  }

  /// How the pooled view is computed from the last hidden states.
  public enum Pooling: String, Hashable, Sendable, CaseIterable {
    /// The state of the first token, `[CLS]`.
    case first = "cls"
    /// The mean of the states of all tokens, as in sentence encoders.
    case mean
    /// tanh of a linear layer on the state of the first token; BERT only.
    case pooler
  }

  /// The kind of encoder.
  public var family: Family
  /// The number of tokens in the vocabulary.
  public var vocabularySize: Int
  /// The width of a hidden state.
  public var hiddenSize: Int
  /// The number of layers; 0 for a bag.
  public var layers = 0
  /// The number of attention heads.
  public var heads = 1
  /// The inner width of the feed-forward networks.
  public var innerSize: Int
  /// The longest text in tokens.
  public var contextLength: Int
  /// The number of segment types; 0 if there are none.
  public var segments = 0
  /// The activation function of the feed-forward networks.
  public var activation = Activation.gelu
  /// ε of the normalizations, which keeps constant rows finite.
  public var epsilon = 1e-12
  /// How the pooled view is computed.
  public var pooling = Pooling.first

  /// Reads a `config.json` of transformers, or the same keys elsewhere; `pooling` is specific to
  /// Switchyard.
  ///
  /// - Throws: `ConfigurationError` that names the key; ``ModelError`` for another `model_type`.
  public init(_ json: ConfigurationObject) throws {
    guard let name = try json.optionalString("model_type") else {
      throw ConfigurationError.missingKey(path: json.path, key: "model_type")
    }
    guard let family = Family(rawValue: name) else {
      throw ModelError.unsupportedFamily(
        path: json.path, name: name, supported: Family.allCases.map(\.rawValue))
    }
    self.family = family
    let json = json.completed(with: Self.defaults(family))
    vocabularySize = try json.int("vocab_size", in: 1...(1 << 24))
    switch family {
    case .bag:
      hiddenSize = try json.int("hidden_size", in: CommonKeys.size)
      innerSize =
        try json.optionalInt("intermediate_size", in: CommonKeys.size) ?? hiddenSize
      contextLength = try json.optionalInt("max_position_embeddings", in: 8...(1 << 20)) ?? 512
    case .bert, .distilbert:
      let isBERT = family == .bert
      let keys =
        isBERT
        ? ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"]
        : ["dim", "n_layers", "n_heads", "hidden_dim"]
      hiddenSize = try json.int(keys[0], in: CommonKeys.size)
      layers = try json.int(keys[1], in: 1...4096)
      heads = try json.int(keys[2], in: 1...4096)
      innerSize = try json.int(keys[3], in: CommonKeys.size)
      contextLength = try json.int("max_position_embeddings", in: 8...(1 << 20))
      guard hiddenSize.isMultiple(of: heads) else {
        throw json.invalid(keys[2], "a divisor of \(keys[0]) (\(hiddenSize))")
      }
      if isBERT {
        segments = try json.optionalInt("type_vocab_size", in: 1...1024) ?? 2
        epsilon = try json.optionalNumber("layer_norm_eps") ?? 1e-12
      }
      if let kind = try json.optionalString("position_embedding_type"), kind != "absolute" {
        throw json.invalid("position_embedding_type", "'absolute'")
      }
      let key = isBERT ? "hidden_act" : "activation"
      activation = json.has(key) ? try json.choice(key) : .gelu
    }
    if json.has("pooling") { pooling = try json.choice("pooling") }
    guard pooling != .pooler || family == .bert else {
      throw json.invalid("pooling", "'cls' or 'mean', because only BERT has a pooler")
    }
  }

  /// Values of keys that a file may leave out, as in transformers' configurations.
  private static func defaults(_ family: Family) -> JSONObject {
    switch family {
    case .bag: [:]
    case .bert:
      [
        "vocab_size": 30_522, "hidden_size": 768, "num_hidden_layers": 12,
        "num_attention_heads": 12, "intermediate_size": 3_072, "max_position_embeddings": 512,
      ]
    case .distilbert:
      [
        "vocab_size": 30_522, "dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3_072,
        "max_position_embeddings": 512,
      ]
    }
  }

  /// The keys and values that ``init(_:)`` reads.
  package var json: JSONObject {
    var result: JSONObject = [
      "model_type": .string(family.rawValue), "vocab_size": .number(Double(vocabularySize)),
      "max_position_embeddings": .number(Double(contextLength)),
      "pooling": .string(pooling.rawValue),
    ]
    func number(_ key: String, _ value: Int) { result[key] = .number(Double(value)) }
    switch family {
    case .bag:
      number("hidden_size", hiddenSize)
      number("intermediate_size", innerSize)
    case .bert:
      number("hidden_size", hiddenSize)
      number("num_hidden_layers", layers)
      number("num_attention_heads", heads)
      number("intermediate_size", innerSize)
      number("type_vocab_size", segments)
      result["layer_norm_eps"] = .number(epsilon)
      result["hidden_act"] = .string(activation.rawValue)
    case .distilbert:
      number("dim", hiddenSize)
      number("n_layers", layers)
      number("n_heads", heads)
      number("hidden_dim", innerSize)
      result["activation"] = .string(activation.rawValue)
    }
    return result
  }
}
