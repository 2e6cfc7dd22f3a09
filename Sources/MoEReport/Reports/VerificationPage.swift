import MoECore
public import MoEEvaluation

/// The page about two models that were compared.
public struct VerificationPage {
  private let report: VerificationReport
  private let names: (first: String, second: String)

  /// Prepares the page.
  ///
  /// - Parameters:
  ///   - report: What was found.
  ///   - first: Name of the model that was compared with.
  ///   - second: Name of the model that was judged.
  public init(_ report: VerificationReport, first: String, second: String) {
    (self.report, names) = (report, (first, second))
  }

  /// The page.
  public var page: Page {
    let fidelity = report.quantization
    return Page(
      "\(names.second) beside \(names.first)",
      summary:
        "\(NumberText.counted(fidelity.divergence.positions, "position")); divergences are in nats per position",
      sections: [
        Page.Section("Quantization: what fewer bits did", [.table(quantization)] + overlap),
        Page.Section(
          "Runtime and kernel: how exactly it is computed", [.table(runtime), .table(kernel)]),
      ], footer: Page.allNumbers)
  }

  private var quantization: Table {
    let fidelity = report.quantization, divergence = fidelity.divergence
    return Table(
      ["figure", "value"],
      [
        ["divergence, mean", NumberText.short(divergence.mean)],
        ["divergence, 99 % of positions", NumberText.short(divergence.percentile99)],
        ["divergence, 99.9 % of positions", NumberText.short(divergence.percentile999)],
        ["same most likely token", NumberText.pagePercent(fidelity.top1Agreement)],
        ["perplexity of \(names.first)", NumberText.fixed(fidelity.firstPerplexity, 4)],
        ["perplexity of \(names.second)", NumberText.fixed(fidelity.secondPerplexity, 4)],
        ["ratio of perplexities", NumberText.fixed(fidelity.perplexityRatio, 4)],
        ["equal greedy tokens", "\(fidelity.greedyTokens) of \(fidelity.greedyLimit)"],
      ])
  }

  private var overlap: [Page.Block] {
    let shares = report.quantization.routerOverlap
    guard !shares.isEmpty else { return [] }
    let chart = LineChart(
      [.init("experts that both choose", shares.enumerated().map { (x: Double($0), y: $1) })],
      xTitle: "sparse layer", yTitle: "share")
    let note =
      report.quantization.replaysRouting
      ? "The second model used the experts of the first."
      : "1 means that all tokens choose the same experts."
    return [.figures([chart.figure("Experts that both choose, by layer", note: note)])]
  }

  private var runtime: Table {
    let rows = report.runtime.map { divergence in
      [
        ["divergence, mean", NumberText.short(divergence.mean)],
        ["divergence, largest", NumberText.short(divergence.largest)],
        ["positions, one by one", "\(divergence.positions)"],
      ]
    }
    return Table(["packed weights beside their own numbers in f32", "value"], rows ?? [])
  }

  private var kernel: Table {
    Table(
      ["relative error of products", "modules", "one row", "few rows", "many rows"],
      report.kernel.map {
        [
          $0.format, "\($0.modules)", NumberText.short($0.one), NumberText.short($0.few),
          NumberText.short($0.many),
        ]
      })
  }
}
