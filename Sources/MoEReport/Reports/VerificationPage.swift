import MoECore
public import MoEEvaluation

/// The page about two models that were compared.
public struct VerificationPage {
  private let report: VerificationReport
  private let judgements: [VerificationLimits.Judgement]
  private let names: (first: String, second: String)
  private let text: String

  /// Prepares the page.
  ///
  /// - Parameters:
  ///   - report: What was found.
  ///   - judgements: The figures beside their limits.
  ///   - first: Name of the model that was compared with.
  ///   - second: Name of the model that was judged.
  ///   - text: Name of the text.
  public init(
    _ report: VerificationReport, _ judgements: [VerificationLimits.Judgement], first: String,
    second: String, text: String
  ) {
    (self.report, self.judgements, self.text) = (report, judgements, text)
    names = (first, second)
  }

  /// The page.
  public var page: Page {
    let failures = judgements.count { !$0.passes }
    let verdict =
      failures == 0 ? "all pass" : "\(NumberText.counted(failures, "figure")) above the limit"
    let positions = report.quantization.divergence.positions
    var sections = [
      Page.Section("Figures and limits: \(verdict)", [.table(limits)]),
      Page.Section("Quantization: what fewer bits did", [.table(quantization)] + overlap),
    ]
    if let runtime = report.runtime {
      sections.append(
        Page.Section(
          "Runtime and kernel: how exactly it is computed",
          [.table(table(runtime)), .table(kernel)]
        ))
    }
    return Page(
      "\(names.second) beside \(names.first)",
      summary:
        "\(NumberText.counted(positions, "position")) of \(text); \(verdict); divergences are in nats per position",
      sections: sections, footer: Page.allNumbers)
  }

  private var limits: Table {
    Table(
      ["figure", "value", "limit", "verdict"],
      judgements.map { $0.cells + [$0.passes ? "passes" : "fails"] })
  }

  private var quantization: Table {
    let fidelity = report.quantization, divergence = fidelity.divergence
    return Table(
      ["figure", "value"],
      [
        ["divergence, mean", NumberText.short(divergence.mean)],
        ["divergence, 99 % of positions", Self.short(divergence.percentile99)],
        ["divergence, 99.9 % of positions", Self.short(divergence.percentile999)],
        ["same most likely token", NumberText.pagePercent(fidelity.top1Agreement)],
        ["perplexity of \(names.first)", NumberText.fixed(fidelity.firstPerplexity, 4)],
        ["perplexity of \(names.second)", NumberText.fixed(fidelity.secondPerplexity, 4)],
        ["ratio of perplexities", NumberText.fixed(fidelity.perplexityRatio, 4)],
      ]
        + (fidelity.greedyLimit > 0
          ? [["equal greedy tokens", "\(fidelity.greedyTokens) of \(fidelity.greedyLimit)"]] : []))
  }

  private static func short(_ value: Double?) -> String {
    value.map { NumberText.short($0) } ?? "too few positions"
  }

  private var overlap: [Page.Block] {
    let fractions = report.quantization.routerOverlap
    guard !fractions.isEmpty else { return [] }
    let chart = LineChart(
      [.init("experts that both choose", fractions.enumerated().map { (x: Double($0), y: $1) })],
      xTitle: "sparse layer", yTitle: "fraction")
    let note =
      report.quantization.replaysRouting
      ? "The second model used the experts that the first chose."
      : "1 means that all tokens choose the same experts."
    return [.figures([chart.figure("Experts that both choose, by layer", note: note)])]
  }

  private func table(_ runtime: VerificationReport.Runtime) -> Table {
    Table(
      [
        "packed weights beside their own numbers in f32", "divergence, mean", "largest",
        "positions",
      ],
      [
        ("token by token", runtime.decode), ("with other texts", runtime.company),
        ("as prompts", runtime.prompt),
      ].map { name, divergence in
        [
          name, NumberText.short(divergence.mean), NumberText.short(divergence.largest),
          "\(divergence.positions)",
        ]
      })
  }

  private var kernel: Table {
    Table(
      ["relative error of products", "modules", "one row", "few rows", "many rows"],
      report.kernel.map(\.cells))
  }
}
