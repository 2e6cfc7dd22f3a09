import MoECore

/// What two models, or a model and its quantized form, have in common, in figures that are kept apart.
public struct VerificationReport: Hashable, Codable, Sendable {
  /// Products of packed weights beside f32 products of the numbers that they stand for, on inputs that the text gives.
  ///
  /// Errors are the length of the difference over that of the result, the worst of all modules of a format.
  public struct Kernel: Hashable, Codable, Sendable {
    /// The format.
    public var format: String
    /// Bits to which the numbers that it meets are rounded as text is generated.
    public var roundedBits: Int
    /// Modules with inputs.
    public var modules: Int
    /// As text generation computes one row, and four rows.
    public var one: Double
    /// The same for four rows.
    public var few: Double
    /// As prompts compute many rows, in bf16 where the processor multiplies it.
    public var many: Double
  }

  /// The Kullback-Leibler divergences of next-token distributions, in nats per position.
  public struct Divergence: Hashable, Codable, Sendable {
    /// Positions.
    public var positions: Int
    /// The mean.
    public var mean: Double
    /// 99 % of the positions are at or below.
    public var percentile99: Double
    /// 99.9 % of the positions are at or below.
    public var percentile999: Double
    /// The largest.
    public var largest: Double
  }

  /// How far the second model's numbers are from the first one's, both computed in f32.
  public struct Fidelity: Hashable, Codable, Sendable {
    /// Divergence of the second model from the first.
    public var divergence: Divergence
    /// The share of positions at which both hold the same token to be the most likely.
    public var top1Agreement: Double
    /// The share of experts that tokens choose in both, by sparse layer; empty where experts choose.
    public var routerOverlap: [Double]
    /// Perplexity of the first model.
    public var firstPerplexity: Double
    /// Perplexity of the second model.
    public var secondPerplexity: Double
    /// Tokens that both generate greedily before the first difference.
    public var greedyTokens: Int
    /// Tokens that were generated.
    public var greedyLimit: Int
    /// Whether the second model used the experts that the first chose.
    public var replaysRouting: Bool

    /// The second perplexity over the first.
    public var perplexityRatio: Double { secondPerplexity / firstPerplexity }
  }

  /// One entry per format; empty if the second model has no packed weights.
  public var kernel: [Kernel]
  /// The packed model beside the same weights unpacked to f32, token by token; `nil` without packed weights.
  public var runtime: Divergence?
  /// The second model beside the first.
  public var quantization: Fidelity
  /// Whether all scores of both models are equal bit by bit, as they run; `nil` if that was not asked.
  public var sameBits: Bool?

  /// The larger of two; NaN if either is.
  static func worst(_ a: Double, _ b: Double) -> Double { a.isNaN || b.isNaN ? .nan : max(a, b) }
}

/// The largest figures that pass; `nil` does not judge one.
public struct VerificationLimits: Hashable, Sendable {
  /// Relative error of packed products as text is generated, where numbers are rounded to 16 bits.
  public var kernelError: Double?
  /// The same where they are rounded to 8 bits.
  public var coarseKernelError: Double?
  /// Relative error of packed products as prompts are read.
  public var promptError: Double?
  /// Mean divergence of the packed model from its own numbers.
  public var runtimeDivergence: Double?
  /// Mean divergence of the second model from the first.
  public var divergence: Double?

  /// Chooses limits.
  public init(
    kernelError: Double?, coarseKernelError: Double?, promptError: Double?,
    runtimeDivergence: Double?, divergence: Double?
  ) {
    (self.kernelError, self.coarseKernelError) = (kernelError, coarseKernelError)
    (self.promptError, self.runtimeDivergence) = (promptError, runtimeDivergence)
    self.divergence = divergence
  }

  /// What is above its limit, or not equal, in words.
  public func failures(of report: VerificationReport) -> [String] {
    var failures: [String] = []
    func judge(_ name: String, _ value: Double?, _ limit: Double?) {
      // NaN must not pass.
      guard let value, let limit, !(value <= limit) else { return }
      failures.append(
        "\(name) is \(NumberText.short(value)), above the limit of \(NumberText.short(limit))")
    }
    for row in report.kernel {
      judge(
        "kernel: the error of products with \(row.format)",
        VerificationReport.worst(row.one, row.few),
        row.roundedBits == 8 ? coarseKernelError : kernelError)
      judge("kernel: the error of prompts with \(row.format)", row.many, promptError)
    }
    judge("runtime: the mean divergence", report.runtime?.mean, runtimeDivergence)
    judge("quantization: the mean divergence", report.quantization.divergence.mean, divergence)
    if report.sameBits == false { failures.append("bits: the scores of the models are not equal") }
    return failures
  }
}
