import MoECore
import MoEEvaluation

/// What `verify` prints.
struct VerificationText {
  private let report: VerificationReport
  private let judgements: [VerificationLimits.Judgement]

  init(_ report: VerificationReport, _ judgements: [VerificationLimits.Judgement]) {
    (self.report, self.judgements) = (report, judgements)
  }

  var lines: [String] {
    kernel + runtime + quantization + [""]
      + [
        TextTable(
          header: ["figure", "value", "limit", ""],
          rows: judgements.map { $0.cells + [$0.passes ? "passes" : "FAILS"] }
        ).text
      ]
  }

  private var kernel: [String] {
    guard !report.kernel.isEmpty else {
      return ["kernel, runtime  nothing to compare: the second model has no packed weights"]
    }
    let table = TextTable(
      header: ["kernel", "modules", "one row", "few rows", "many rows"],
      rows: report.kernel.map(\.cells))
    let idle = report.kernel.reduce(0) { $0 + $1.allModules - $1.modules }
    return [table.text]
      + (idle > 0
        ? ["not judged, because the text gives no input: \(counted(idle, "module"))"] : [])
  }

  private var runtime: [String] {
    guard let runtime = report.runtime else { return [] }
    return [
      "runtime          \(line(runtime.decode)), token by token",
      "                 \(line(runtime.company)), with other texts",
      "                 \(line(runtime.prompt)), as prompts",
    ]
  }

  private var quantization: [String] {
    let fidelity = report.quantization
    var lines = [
      "quantization     \(line(fidelity.divergence))",
      "top-1 agreement  \(NumberText.percent(fidelity.top1Agreement))",
    ]
    if let least = fidelity.routerOverlap.min() {
      let mean = fidelity.routerOverlap.reduce(0, +) / Double(fidelity.routerOverlap.count)
      let how = fidelity.replaysRouting ? ", because the first model's are replayed" : ""
      lines.append(
        "same experts     \(NumberText.percent(mean)), \(NumberText.percent(least)) in the worst layer\(how)"
      )
    }
    lines.append(
      "perplexity       \(NumberText.fixed(fidelity.firstPerplexity, 4)), then \(NumberText.fixed(fidelity.secondPerplexity, 4)): \(NumberText.fixed(fidelity.perplexityRatio, 4)) times"
    )
    if fidelity.greedyLimit > 0 {
      lines.append(
        "greedy text      \(fidelity.greedyTokens) of \(fidelity.greedyLimit) tokens are equal")
    }
    if let same = report.sameBits {
      lines.append("bits             \(same ? "equal" : "not equal")")
    }
    return lines
  }

  private func line(_ divergence: VerificationReport.Divergence) -> String {
    let percentiles = [("99 %", divergence.percentile99), ("99.9 %", divergence.percentile999)]
      .compactMap { name, value in value.map { ", \(name) \(NumberText.short($0))" } }
    return
      "divergence \(NumberText.short(divergence.mean))\(percentiles.joined()), largest \(NumberText.short(divergence.largest)), of \(divergence.positions)"
  }
}
