public import MoECore
public import MoETensor

/// Token choice by similarity to prototypes, as ProMoE routes the tokens of labelled images.
///
///     z = cosine(token, prototype)                    in f32, from ``Prototypes/scores(of:prototypes:)``
///     s = z, or sigmoid(z), or softmax(z) over the experts
///     chosen = the k largest of s;  weight = s[chosen]
///
/// Weights are not renormalized, and with the identity they may be negative. Ties go to the lower
/// expert index.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing
///   Guidance*, §3.2, equations 3–5, [arXiv:2510.24711](https://arxiv.org/abs/2510.24711).
public struct PrototypeRouter: Router, Hashable {
  /// How a similarity becomes a weight.
  public enum Scoring: String, Hashable, Codable, Sendable, CaseIterable {
    /// The cosine itself.
    case identity
    /// 1 / (1 + exp(−cosine)).
    case sigmoid
    /// exp(cosine) over the sum of all experts.
    case softmax
  }

  /// Experts per token.
  public let k: Int
  /// How a similarity becomes a weight.
  public let scoring: Scoring

  /// Creates a router for layers of `experts` prototypes.
  ///
  /// - Throws: `SettingError` unless `k` is from 1 to `experts`.
  public init(k: Int, experts: Int, scoring: Scoring) throws(SettingError) {
    guard k >= 1, k <= experts else {
      throw SettingError(key: "experts per token", value: "\(k)", expected: "in 1…\(experts)")
    }
    (self.k, self.scoring) = (k, scoring)
  }

  /// Exactly `k`.
  public func expertsPerToken(experts: Int) -> Double { Double(k) }

  /// A cosine itself may be negative.
  public var hasNegativeWeights: Bool { scoring == .identity }

  /// Assigns each token to the experts of its nearest prototypes.
  public func route(_ logits: Tensor, in context: RoutingContext) -> Routing {
    let (tokens, experts) = (logits.size(0), logits.size(1))
    let scores = scoring.applied(to: logits.cast(to: .f32))  // [tokens, experts]
    let chosen = withoutGradients { TopK.columns(of: scores, k: k) }
    let indices = Tensor(chosen, shape: [tokens, k]).moved(to: logits.device)
    return Routing(
      tokenCount: tokens, expertCount: experts, choice: .byToken(experts: chosen, k: k),
      weights: scores.gather(indices, axis: 1),
      probabilities: scoring == .softmax ? scores : scores.softmax(axis: 1))
  }
}

extension PrototypeRouter.Scoring {
  /// The weights that all experts would have, shape `[tokens, experts]`.
  func applied(to cosines: Tensor) -> Tensor {
    switch self {
    case .identity: cosines
    case .sigmoid: cosines.sigmoid()
    case .softmax: cosines.softmax(axis: 1)
    }
  }
}

/// Learned directions, one per expert, with which tokens are compared.
public enum Prototypes {
  /// Keeps zero rows finite.
  private static let epsilon = 1e-12

  /// The cosines between tokens and prototypes.
  ///
  /// They are invariant to positive scaling of tokens and prototypes.
  ///
  /// - Parameters:
  ///   - tokens: Shape `[tokens, width]`, of any floating-point type.
  ///   - prototypes: Shape `[experts, width]`.
  /// - Returns: Shape `[tokens, experts]`, f32, from -1 to 1 up to rounding.
  public static func scores(of tokens: Tensor, prototypes: Tensor) -> Tensor {
    normalized(tokens).matmul(normalized(prototypes).transposed())
  }

  /// Rows of length 1, f32.
  static func normalized(_ rows: Tensor) -> Tensor {
    let rows = rows.cast(to: .f32)
    return rows / rows.norm(axis: -1, keepAxes: true).clamped(min: epsilon)
  }

  /// The cosines between all pairs of prototypes, shape `[experts, experts]`.
  public static func similarities(_ prototypes: Tensor) -> Tensor {
    scores(of: prototypes, prototypes: prototypes)
  }
}
