import MoECore
import MoEPlacement
import MoEReport
import MoETracing
import SystemPackage

/// The trained model reads held-out text, and its routing is diagnosed.
struct RoutingStage: DemoStage {
  let setting: DemoSetting

  let title = "Where its tokens go"

  private var model: String { setting.made("language/model").string }
  private var trace: String { setting.made("trace.safetensors").string }

  var steps: [DemoStep] {
    [
      setting.step(
        "trace",
        ["trace", model, "--text", setting.made("held-out.txt").string, "--out", trace],
        output: "trace.txt", makes: ["trace.safetensors"]),
      setting.step(
        "inspection",
        [
          "inspect", trace, "--tokenizer", model, "--html",
          setting.made("inspection.html").string, "--json",
        ], output: "inspection.json", makes: ["inspection.html"]),
    ]
  }

  // MARK: Results

  private func report() throws -> TraceReport {
    let report = try setting.value(TraceReport.self, in: "inspection.json")
    if let problem = report.misfit {
      throw DemoError.damaged(setting.made("inspection.json"), problem: problem)
    }
    return report
  }

  func summary() throws -> String { InspectionText(try report()).text }

  func sections() throws -> [Page.Section] {
    let report = try report()
    let lines = steps.map(\.line)
    let inspection = ShellText.line(["switchyard", "inspect", trace, "--tokenizer", model])
    func mean(_ values: [Double]) -> Double {
      values.reduce(0, +) / Double(max(1, values.count))
    }
    var numbers: [Page.Measurement] = [
      .init(
        NumberText.count(report.tokens ?? 0), "tokens recorded, all of them held out",
        command: lines[0]),
      .init(
        NumberText.short(mean(report.layers.map(\.statistics.imbalance))),
        "times the mean load on the busiest expert, mean of the layers", command: inspection),
    ]
    if !report.transitions.isEmpty {
      numbers.append(
        .init(
          NumberText.pagePercent(mean(report.transitions.map(\.excessShare))),
          "of the next layer's first expert explained by this layer's, beyond chance",
          command: inspection))
    }
    return [
      Page.Section(
        "Where its tokens go",
        [
          .figures(InspectionPage(report).highlights), .measurements(numbers),
          .commands(lines),
          .paragraph("The full inspection is in inspection.html, next to this page."),
        ]),
      Page.Section("Diagnosis", [.findings(report.diagnosis), .commands([inspection])]),
    ]
  }
}
