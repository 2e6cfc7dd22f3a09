import MoECore
import MoEPlacement
import MoEReport
import MoETracing

extension DriftReport {
  /// The comparison as text for a terminal.
  var text: String {
    let loads = TextTable(
      header: ["layer", "drift", "by chance", "moved", "most risen", "most fallen"],
      rows: layers.map { layer in
        func change(_ expert: Int) -> String {
          "\(expert): \(NumberText.short(layer.before[expert])) to \(NumberText.short(layer.after[expert]))"
        }
        return [
          String(layer.layer), NumberText.short(layer.drift), NumberText.short(layer.byChance),
          percent(layer.moved), change(layer.risen), change(layer.fallen),
        ]
      })
    let pairs = TextTable(
      header: ["from layer", "other successors", "by chance"],
      rows: zip(layers, zip(affinities, affinitiesByChance)).map {
        [String($0.layer), percent($1.0), percent($1.1)]
      })
    let amounts =
      tokens.contains(nil)
      ? "loads of unknown numbers of tokens"
      : tokens.compactMap { $0.map(String.init) }.joined(separator: " and ") + " tokens"
    let title =
      "\(names.map(\.printable).joined(separator: " to ")): \(amounts)"
    return
      ([title, loads.text] + (affinities.isEmpty ? [] : [pairs.text])
      + [diagnosis.joined(separator: "\n")]).joined(separator: "\n\n")
  }
}

extension CheckpointReport {
  /// The steps as text for a terminal.
  var text: String {
    let table = TextTable(
      header: [
        "step", "max/mean", "entropy", "bits", "by chance", "explained", "as at the end",
        "kept by a plan",
      ],
      rows: steps.map { step in
        let it = step.affinity
        return [
          String(it.step), NumberText.short(it.imbalance), NumberText.short(it.entropy),
          NumberText.short(it.mutualInformation), NumberText.short(it.nullMean),
          percent(it.excessShare), percent(step.agreement), step.kept.map(percent) ?? "–",
        ]
      })
    let title =
      "\(name.printable): \(counted(steps.count, "model")), \(counted(tokens, "token")) each, \(counted(layers, "sparse layer")), top-\(k) of \(counted(experts, "expert"))"
    return [title, table.text, diagnosis.joined(separator: "\n")].joined(separator: "\n\n")
  }
}

private func percent(_ fraction: Double) -> String {
  NumberText.percent(fraction, rounding: .scaled)
}
