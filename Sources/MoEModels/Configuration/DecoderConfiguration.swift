public import MoERouting

/// Everything that determines the architecture of a ``MoEDecoder``, of whatever family.
public struct DecoderConfiguration: Sendable {
  /// What a layer has after its attention.
  public enum LayerKind: Hashable, Sendable {
    /// One feed-forward network of this inner width.
    case dense(inner: Int)
    /// Routed experts.
    case sparse
  }

  /// Normalization of queries and keys.
  public enum QueryKeyNorm: String, Hashable, Codable, Sendable, CaseIterable {
    /// None.
    case none
    /// Over all heads at once.
    case whole
    /// Over each head.
    case perHead = "per_head"
  }

  /// Experts that process every token.
  public struct SharedExperts: Hashable, Sendable {
    /// Inner width of all of them together.
    public var inner: Int
    /// Whether a gate scales their output.
    public var isGated: Bool
  }

  /// Name of the family, as in `model_type`.
  public var family: String
  /// Number of tokens in the vocabulary.
  public var vocabularySize: Int
  /// Width of the residual stream.
  public var hiddenSize: Int
  /// What each layer has after its attention, in order.
  public var layers: [LayerKind]
  /// Query heads.
  public var heads: Int
  /// Key and value heads; divides `heads`.
  public var keyHeads: Int
  /// Width of a head; even.
  public var headSize: Int
  /// Longest text in training, in tokens.
  public var contextLength: Int
  /// The normalization before attention, experts and head.
  public var normalization: Normalization.Kind
  /// Its ε.
  public var epsilon: Double
  /// Base of the rotary frequencies.
  public var rotaryBase: Double
  /// How the rotary frequencies are scaled for longer contexts.
  public var rotaryScaling: RotaryEmbedding.Scaling
  /// Normalization of queries and keys.
  public var queryKeyNorm: QueryKeyNorm
  /// Whether query, key and value projections have a bias.
  public var hasAttentionBias: Bool
  /// Whether the output projection has a bias.
  public var hasOutputBias: Bool
  /// Whether the projections of dense networks have a bias.
  public var hasNetworkBias = false
  /// Largest magnitude of queries, keys and values, if limited.
  public var clip: Double?
  /// Positions that a query sees in each layer, itself included; `nil` for all.
  public var windows: [Int?]
  /// Whether the head uses the embedding's weights.
  public var tiesEmbeddings: Bool
  /// Form of all feed-forward networks.
  public var form: FeedForward.Form
  /// Their activation function.
  public var activation: Activation
  /// Routed experts per sparse layer; 0 if no layer is sparse.
  public var experts: Int
  /// Inner width of a routed expert; 0 if no layer is sparse.
  public var expertInner: Int
  /// The rule that chooses experts; `nil` if no layer is sparse.
  public var router: (any Router)?
  /// Experts that process every token, if any.
  public var shared: SharedExperts?
  /// Coefficient of the load-balancing loss in training.
  public var balanceCoefficient: Double
  /// Tokens that end a text.
  public var endTokens: [Int]

  /// Experts per token, on average; 0 if no layer is sparse.
  public var expertsPerToken: Double { router?.expertsPerToken(experts: experts) ?? 0 }

  /// Indices of the sparse layers.
  public var sparseLayers: [Int] { layers.indices.filter { layers[$0] == .sparse } }
}
