import MoECore

/// What two models, or a model and its quantized form, have in common, in figures that are kept apart.
public struct VerificationReport: Hashable, Codable, Sendable {
  /// Products of packed weights beside products in f64 of the numbers that they stand for, on inputs that the text gives.
  ///
  /// Errors are the length of the difference over that of the result, the worst of all modules of a format.
  public struct Kernel: Hashable, Codable, Sendable {
    /// The format.
    public var format: String
    /// Bits to which the numbers that it meets are rounded as text is generated.
    public var roundedBits: Int
    /// Modules that were judged.
    public var modules: Int
    /// Modules of the format that the model has; more than ``modules`` if the text gives some no input.
    public var allModules: Int
    /// The fewest rows that a module was judged by.
    public var rows: Int
    /// As text generation computes one row.
    public var one: Double
    /// As text generation computes four rows.
    public var few: Double
    /// As prompts compute many rows, in bf16 where the processor multiplies it.
    public var many: Double

    /// The format, and to how many bits the numbers that it meets are rounded.
    public var label: String { "\(format), numbers of \(roundedBits) bits" }
  }

  /// The Kullback-Leibler divergences of next-token distributions, in nats per position.
  public struct Divergence: Hashable, Codable, Sendable {
    /// Positions.
    public var positions: Int
    /// The mean.
    public var mean: Double
    /// 99 % of the positions are at or below; `nil` for fewer than 100.
    public var percentile99: Double?
    /// 99.9 % of the positions are at or below; `nil` for fewer than 1,000.
    public var percentile999: Double?
    /// The largest.
    public var largest: Double
  }

  /// The packed model beside the same weights unpacked to f32.
  public struct Runtime: Hashable, Codable, Sendable {
    /// Token by token, as text is generated.
    public var decode: Divergence
    /// The same for several texts together.
    public var company: Divergence
    /// As prompts are read, in bf16 where the processor multiplies it.
    public var prompt: Divergence
  }

  /// How far the second model's numbers are from the first one's, both computed in f32.
  public struct Fidelity: Hashable, Codable, Sendable {
    /// Divergence of the second model from the first.
    public var divergence: Divergence
    /// The fraction of positions at which both hold the same token to be the most likely.
    public var top1Agreement: Double
    /// The fraction of experts that tokens choose in both, by sparse layer; empty where experts choose.
    public var routerOverlap: [Double]
    /// Perplexity of the first model.
    public var firstPerplexity: Double
    /// Perplexity of the second model.
    public var secondPerplexity: Double
    /// Tokens that both generate greedily before the first difference.
    public var greedyTokens: Int
    /// The most tokens that are generated.
    public var greedyLimit: Int
    /// Whether the second model used the experts that the first chose.
    public var replaysRouting: Bool

    /// The second perplexity over the first.
    public var perplexityRatio: Double
  }

  /// One entry per format; empty if the second model has no packed weights.
  public var kernel: [Kernel]
  /// The packed model beside the same weights unpacked to f32; `nil` without packed weights.
  public var runtime: Runtime?
  /// The second model beside the first.
  public var quantization: Fidelity
  /// Whether all scores of both models are equal bit by bit, as they run; `nil` if that was not asked.
  public var sameBits: Bool?

  /// The larger of two; NaN if either is.
  static func worst(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : max(a, b) }
}
