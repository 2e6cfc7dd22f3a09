import MoECore
import MoEPlacement
import MoETracing

/// A report as text for a terminal.
struct InspectionText {
  let report: TraceReport
  private let advice: PlacementAdvice?

  init(_ report: TraceReport, _ advice: PlacementAdvice? = nil) {
    (self.report, self.advice) = (report, advice)
  }

  var text: String {
    let parts = [
      title, layers, transitions, specializations, report.diagnosis.joined(separator: "\n"),
      command,
    ]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n\n")
  }

  private var title: String {
    let name = report.model.map { "\($0), " } ?? ""
    let layers = counted(report.layers.count, "sparse layer")
    guard let tokens = report.tokens, let k = report.k else {
      return
        "\(name)loads of \(layers) of \(counted(report.experts, "expert")), of an unknown number of tokens"
        .printable
    }
    let sequences =
      report.sequences > 0 ? " in \(counted(report.sequences, "sequence"))" : ""
    return
      "\(name)\(counted(tokens, "token"))\(sequences), \(layers), top-\(k) of \(counted(report.experts, "expert"))"
      .printable
  }

  private var layers: String {
    TextTable(
      header: ["layer", "max/mean", "CV", "Gini", "entropy", "dead", "load, busiest expert first"],
      rows: report.layers.map { layer in
        let it = layer.statistics
        return [
          String(layer.layer), number(it.imbalance), number(it.coefficientOfVariation),
          number(it.gini), number(it.entropy), String(it.deadExperts.count), bars(layer.load),
        ]
      }
    ).text
  }

  private var transitions: String {
    guard !report.transitions.isEmpty else { return "" }
    return TextTable(
      header: ["from layer", "bits", "by chance", "explained", "top successor", "if independent"],
      rows: zip(report.layers, report.transitions).map { layer, it in
        [
          String(layer.layer), number(it.mutualInformation), number(it.nullMean),
          percent(it.excessShare), percent(it.topSuccessorShare), percent(it.independentShare),
        ]
      }
    ).text
  }

  private var specializations: String {
    guard !report.specializations.isEmpty else { return "" }
    return TextTable(
      header: ["experts tell", "mean", "most"],
      rows: report.specializations.map {
        let mean = $0.shares.reduce(0, +) / Double(max(1, $0.shares.count))
        return [$0.kind, percent(mean), percent($0.shares.max() ?? 0)]
      }
    ).text
  }

  /// The command that makes the plan of the diagnosis, if the plan saves anything.
  private var command: String {
    guard let advice, max(advice.saved, advice.savedByBalancing) > 0.02 else { return "" }
    let weight =
      advice.isWorthWeighing ? " --imbalance-weight \(advice.compromise.weight)" : ""
    return "To make a plan: switchyard place TRACE --ranks \(advice.devices)\(weight)"
  }

  /// At most 32 bars: the sorted loads, or means of neighbours.
  private func bars(_ load: [Int]) -> String {
    let sorted = load.sorted(by: >)
    let width = (sorted.count + 31) / 32
    let means = stride(from: 0, to: sorted.count, by: width).map { start in
      let part = sorted[start..<min(start + width, sorted.count)]
      return Double(part.reduce(0, +)) / Double(part.count)
    }
    let most = max(means.first ?? 0, 1)
    let signs = Array("▁▂▃▄▅▆▇█")
    return String(means.map { $0 == 0 ? " " : signs[min(7, Int($0 / most * 8))] })
  }

  private func number(_ value: Double) -> String { NumberText.fixed(value, 2) }
  private func percent(_ value: Double) -> String { NumberText.percent(value) }
}
