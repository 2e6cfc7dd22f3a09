import Foundation
import MoECore
import MoEEvaluation

extension DiffusionReport {
  /// The report as text for a terminal.
  var text: String {
    func number(_ value: Double?) -> String { value.map { NumberText.fixed($0, 3) } ?? "–" }
    let table = TextTable(
      header: [
        "block", "busiest", "unused", "sets differ", "by chance", "gate", "prototypes", "overlap",
        "clusters",
      ],
      rows: blocks.map { block in
        let all = Double(max(1, block.load.reduce(0, +)))
        return [
          "\(block.place)", number(Double(block.load.max() ?? 0) / all), "\(block.unused.count)",
          number(block.variation(between: classSets)), number(block.variationByChance),
          number(block.gate), number(block.meanPrototypeCosine),
          number(block.meanSubspaceOverlap), number(block.separation),
        ]
      })
    let head =
      "\(name.printable): \(architecture)\n\(counted(images, "image")) of \(classes.count) \(classes.count == 1 ? "class" : "classes")"
    let parts = [head, blocks.isEmpty ? "" : table.text, diagnosis.joined(separator: "\n")]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n\n")
  }
}
