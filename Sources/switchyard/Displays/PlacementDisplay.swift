import MoECore
import MoEPlacement

extension PlacementReport {
  /// The report as text for a terminal.
  var text: String {
    let on = isHeldOut ? "held-out tokens" : "the same tokens"
    var lines = [
      "problem      \(counted(layers, "layer")) × \(counted(experts, "expert")), \(counted(replicas, "replica")), \(counted(ranks, "rank")) in \(counted(nodes, "node"))",
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
      boundLine,
    ]
    if replicas > 0 {
      lines.append(
        "copies       go to the busiest experts, for balance; for crossings, such plans keep 83 to 99 % of what a legal plan can"
      )
    }
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

  /// With a weight of imbalance the bound is one of the objective, which is more than transitions.
  private var boundLine: String {
    let total = fitted.transitions
    func share(_ value: Double) -> String { percent(total > 0 ? value / total : 0) }
    guard fitted.objective < fitted.kept else {
      return
        "bound        no plan can keep more than \(share(bound)) of the transitions of its own tokens; this one keeps \(share(fitted.objective)), a gap of \(percent(gap))"
    }
    return
      "bound        transitions kept less the weighted imbalance: no plan reaches more than \(share(bound)) of its own tokens' transitions, this one \(share(fitted.objective))"
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

extension BalanceReport {
  /// The report as text for a terminal.
  var text: String {
    func mean(_ values: [Double]) -> Double {
      values.reduce(0, +) / Double(max(1, values.count))
    }
    func row(_ name: String, _ values: [Double]) -> [String] {
      [name, decimals(mean(values)), decimals(values.max() ?? 1)]
    }
    let lines = [
      "problem      \(counted(layers, "layer")) × \(counted(experts, "expert")), \(counted(replicas, "replica")), \(counted(ranks, "rank")) in \(counted(nodes, "node"))",
      "method       \(method), \(decimals(seconds)) s",
      "",
      TextTable(
        header: ["load of a rank over the mean", "mean of layers", "worst layer"],
        rows: [
          row("linear", linearBalance), row("plan", balance),
          row("no plan is below", lowestBalance),
        ]
      ).text,
      "",
      "crossings    unknown: loads do not say where tokens go",
    ]
    return (lines + remarks).joined(separator: "\n")
  }
}

extension PlanReport {
  /// The report as text for a terminal.
  var text: String {
    func row(_ name: String, _ found: PlacementEvaluation) -> [String] {
      let total = max(found.transitions, 1e-300)
      let isKnown = found.transitions > 0
      return [
        name, isKnown ? percent(found.crossingShare) : "–",
        isKnown ? percent(found.sameNode / total) : "–",
        isKnown ? percent(found.otherNode / total) : "–",
        "\(decimals(found.meanBalance)) (\(decimals(found.worstBalance)))",
      ]
    }
    var lines = [
      "plan         \(counted(layers, "layer")) × \(counted(experts, "expert")), \(counted(replicas, "replica")), \(counted(ranks, "rank")) in \(counted(nodes, "node"))",
      "tokens       \(tokens.map(String.init) ?? "unknown")", "",
      TextTable(
        header: ["", "crossings", "same node", "other node", "balance (worst)"],
        rows: [row("linear", linear), row("plan", plan)]
      ).text,
    ]
    if plan.transitions > 0 {
      lines += ["", "saved        \(percent(saved)) of the linear plan's crossings"]
    }
    return (lines + (remarks.isEmpty ? [] : [""] + remarks)).joined(separator: "\n")
  }
}

private func percent(_ fraction: Double) -> String {
  NumberText.percent(fraction, rounding: .scaled)
}

private func decimals(_ value: Double) -> String { NumberText.decimals(value, 3) }
