import MoECore
public import MoEPlacement
import MoETracing

/// The page about the routing of a training run's models.
public struct CheckpointPage {
  private let report: CheckpointReport
  private let losses: [LineChart.Series]

  /// Prepares the page.
  ///
  /// - Parameters:
  ///   - report: The report on the run's snapshots.
  ///   - losses: Losses by step, shown first; series without points are omitted.
  public init(_ report: CheckpointReport, losses: [LineChart.Series] = []) {
    (self.report, self.losses) = (report, losses.filter { !$0.points.isEmpty })
  }

  /// The page.
  public var page: Page {
    Page(
      "Routing during the training of \(report.name)",
      summary:
        "\(NumberText.counted(report.steps.count, "model")), \(NumberText.count(report.tokens)) \(NumberText.noun(report.tokens, "token")) each, \(NumberText.counted(report.layers, "sparse layer")), top-\(report.k) of \(NumberText.counted(report.experts, "expert"))",
      sections: [
        Page.Section("What it means", [.findings(report.diagnosis)]),
        Page.Section(
          "By step",
          [.figures(loss + [evenness, entropy, affinity, agreement] + kept), .table(table)]),
      ],
      footer: Page.allNumbers
    )
  }

  private func chart(
    _ lines: [(name: String, value: (CheckpointReport.Step) -> Double)], _ title: String,
    y: String, note: String = "", reference: (value: Double, name: String)? = nil,
    format: @escaping @Sendable (Double) -> String = NumberText.short
  ) -> Figure {
    let steps = report.steps
    // Steps of snapshots mostly increase by a constant factor.
    let isWide =
      (steps.first?.affinity.step ?? 0) > 0
      && (steps.last?.affinity.step ?? 0) > 8 * (steps.first?.affinity.step ?? 1)
    return LineChart(
      lines.map { line in
        .init(line.name, steps.map { (x: Double($0.affinity.step), y: line.value($0)) })
      }, xTitle: "step", yTitle: y, isLogarithmic: isWide, reference: reference, format: format
    ).figure(title, note: note)
  }

  private var loss: [Figure] {
    guard !losses.isEmpty else { return [] }
    let chart = LineChart(losses, xTitle: "step", yTitle: "loss", startsAtZero: false)
    return [chart.figure("Loss", note: "Training losses are means of neighbouring steps.")]
  }

  private var evenness: Figure {
    chart(
      [("busiest expert", { $0.affinity.imbalance })], "Load of the busiest expert",
      y: "times the mean load", reference: (1, "even"))
  }

  private var entropy: Figure {
    chart(
      [("entropy", { $0.affinity.entropy })], "Entropy of the loads", y: "1 for even loads")
  }

  private var affinity: Figure {
    chart(
      [
        ("mutual information", { $0.affinity.mutualInformation }),
        ("by chance and popularity alone", { $0.affinity.nullMean }),
      ], "What an expert tells about the next layer's", y: "bits, mean of pairs of layers")
  }

  private var agreement: Figure {
    chart(
      [("agreement", \.agreement)], "Tokens whose first expert is the final one",
      y: "fraction of tokens, mean of layers", format: NumberText.pagePercent)
  }

  private var kept: [Figure] {
    guard report.steps.allSatisfy({ $0.kept != nil }) else { return [] }
    return [
      chart(
        [
          ("plan for the step", { $0.kept ?? 0 }),
          ("experts placed in order", { $0.keptByNumber ?? 0 }),
        ], "Transitions that stay on their device, of \(report.devices)", y: "fraction kept",
        note: "Plans are made from one half of the tokens and evaluated on the other.",
        format: NumberText.pagePercent)
    ]
  }

  private var table: Table {
    Table(
      [
        "step", "max/mean", "entropy", "bits", "by chance", "explained", "top successor",
        "as at the end", "kept by a plan",
      ],
      report.steps.map { step in
        let it = step.affinity
        return [
          NumberText.count(it.step), NumberText.short(it.imbalance), NumberText.short(it.entropy),
          NumberText.short(it.mutualInformation), NumberText.short(it.nullMean),
          NumberText.pagePercent(it.excessShare), NumberText.pagePercent(it.topSuccessorShare),
          NumberText.pagePercent(step.agreement), step.kept.map(NumberText.pagePercent) ?? "–",
        ]
      })
  }
}
