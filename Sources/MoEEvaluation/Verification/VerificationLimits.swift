import MoECore

/// The largest figures that pass.
public struct VerificationLimits: Hashable, Sendable {
  /// Relative error of packed products as text is generated, where numbers are rounded to 16 bits.
  public var kernelError = 1e-4
  /// The same where they are rounded to 8 bits, or computed in fewer than 32.
  public var coarseKernelError = 0.03
  /// Relative error of packed products as prompts are read.
  public var promptError = 0.02
  /// Mean divergence of the packed model from its own numbers, as text is generated.
  public var runtimeDivergence = 1e-5
  /// The same where numbers are rounded to 8 bits, or computed in fewer than 32.
  public var coarseRuntimeDivergence = 0.01
  /// Mean divergence of the packed model from its own numbers, as prompts are read.
  public var promptDivergence = 0.01
  /// Mean divergence of the second model from the first.
  public var divergence = 0.1

  /// The usual limits.
  public init() {}

  /// One figure beside its limit.
  public struct Judgement: Hashable, Codable, Sendable {
    /// Which figure, in words that begin with `kernel`, `runtime`, `quantization` or `bits`.
    public var figure: String
    /// Its value; `nil` if it is infinite or not a number.
    public var value: Double?
    /// The largest value that passes.
    public var limit: Double
    /// Whether it does; what is not a number does not.
    public var passes: Bool

    /// The one figure that is a question: 1 is yes.
    static let bits = "bits: whether scores differ"

    init(_ figure: String, _ value: Double, _ limit: Double) {
      (self.figure, self.limit, passes) = (figure, limit, value <= limit)
      self.value = value.isFinite ? value : nil
    }

    /// What is wrong, in words.
    public var problem: String {
      guard let value else { return "\(figure) is not a finite number" }
      guard figure != Self.bits else { return "\(figure): they do" }
      return
        "\(figure) is \(NumberText.short(value)), above the limit of \(NumberText.short(limit))"
    }
  }

  /// Judges all figures of a report.
  ///
  /// - Parameters:
  ///   - report: The figures.
  ///   - isCoarse: Whether the packed model computes in a type of fewer than 32 bits.
  /// - Returns: One judgement per figure.
  public func judgements(of report: VerificationReport, isCoarse: Bool = false) -> [Judgement] {
    var found: [Judgement] = []
    for row in report.kernel {
      let limit = isCoarse || row.roundedBits == 8 ? coarseKernelError : kernelError
      found.append(
        Judgement(
          "kernel: the error of products with \(row.label)",
          VerificationReport.worst(row.one, row.few), limit))
      found.append(
        Judgement("kernel: the error of prompts with \(row.label)", row.many, promptError))
    }
    if let runtime = report.runtime {
      let rounds = isCoarse || report.kernel.contains { $0.roundedBits == 8 }
      let limit = rounds ? coarseRuntimeDivergence : runtimeDivergence
      found += [
        Judgement("runtime: the mean divergence token by token", runtime.decode.mean, limit),
        Judgement("runtime: the mean divergence of texts together", runtime.company.mean, limit),
        Judgement(
          "runtime: the mean divergence of prompts", runtime.prompt.mean,
          isCoarse ? max(limit, promptDivergence) : promptDivergence),
      ]
    }
    found.append(
      Judgement(
        "quantization: the mean divergence", report.quantization.divergence.mean, divergence))
    if let same = report.sameBits {
      found.append(Judgement(Judgement.bits, same ? 0 : 1, 0))
    }
    return found
  }
}
