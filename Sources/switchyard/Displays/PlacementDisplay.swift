import MoECore
import MoEPlacement

extension PlacementReport {
  /// The report as text for a terminal.
  var text: String {
    let on = isHeldOut ? "held-out tokens" : "the same tokens"
    var lines = [
      "problem      \(layers) layers × \(experts) experts, \(replicas) replicas, \(ranks) ranks in \(nodes) \(nodes == 1 ? "node" : "nodes")",
      "method       \(method), \(decimals(seconds)) s\(isOptimal ? ", proved best" : "")",
      "tokens       \(fittedTokens) to solve, \(judgedTokens) to report (\(on))",
      "",
      TextTable(
        header: ["", "crossings", "same node", "other node", "balance (worst)"],
        rows: [row("linear", linear), row("plan", judged)]
          + (isHeldOut ? [row("plan on its own tokens", fitted)] : [])
      ).text,
      "",
      "saved        \(percent(saved)) of the linear plan's crossings",
      "null         \(percent(savedByNull)) on shuffled tokens, where only the popularity of experts is left",
      "bound        no plan can keep more than \(percent(fitted.transitions > 0 ? bound / fitted.transitions : 0)) of the transitions of its own tokens; this one keeps \(percent(fitted.transitions > 0 ? fitted.objective / fitted.transitions : 0)), a gap of \(percent(gap))",
    ]
    if !profile.isEmpty {
      let points = profile.map { "\($0.tokens): \(percent($0.crossingShare))" }
      lines.append("profile      crossings by tokens: " + points.joined(separator: ", "))
      lines.append(
        tokensNeeded.map { "needed       \($0) tokens save 97 % of what all save" }
          ?? "needed       nothing is saved; the linear plan is as good")
    }
    if !pareto.isEmpty { lines += ["", front] }
    return lines.joined(separator: "\n")
  }

  private func row(_ name: String, _ found: PlacementEvaluation) -> [String] {
    let total = max(found.transitions, 1e-300)
    return [
      name, percent(found.crossingShare), percent(found.sameNode / total),
      percent(found.otherNode / total),
      "\(decimals(found.meanBalance)) (\(decimals(found.worstBalance)))",
    ]
  }

  private var front: String {
    TextTable(
      header: ["weight of imbalance", "crossings", "balance"],
      rows: pareto.map { ["\($0.weight)", percent($0.crossingShare), decimals($0.balance)] }
    ).text
  }
}

private func percent(_ fraction: Double) -> String {
  NumberText.percent(fraction, rounding: .scaled)
}

private func decimals(_ value: Double) -> String { NumberText.decimals(value, 3) }
