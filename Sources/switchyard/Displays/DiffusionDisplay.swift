import MoEEvaluation
import MoECore
import MoEData
import MoEModels
import MoEReport
import MoETracing
import MoETraining
import SystemPackage

/// A diffusion transformer that 'inspect' was given: a model folder, or a training run.
struct DiffusionSubject {
  /// Folder of the model.
  let model: FilePath
  /// Folder of the run, if it is one.
  let run: FilePath?
  /// Name of what was given.
  let name: String

  /// Looks into a folder; `nil` if it holds no such model.
  init?(_ path: FilePath) {
    let inner = path.appending("model")
    guard let model = [path, inner].first(where: StoredDiffusionModel.isStored(in:)) else {
      return nil
    }
    self.model = model
    run = path.appending("run.json").isMissing ? nil : path
    name = path.lastComponent?.string ?? path.string
  }

  /// Looks at the model with images, or with those of the run.
  ///
  /// - Returns: What is there to be shown; `nil` without any images.
  func inspection(on files: ImageFiles?, line: ProgressLine) throws -> DiffusionInspection? {
    let images: DiffusionInspection.Images? =
      files.map { .files($0) } ?? run.map { .run($0) }
    return try images.map {
      try DiffusionInspection(of: model, on: $0, name: name, progress: line.show)
    }
  }

  /// The page with figures.
  func page(_ inspection: DiffusionInspection) -> Page {
    let curves = run.map { LossCurves($0) }
    let losses = [("training", curves?.training), ("validation", curves?.validation)].map {
      LineChart.Series($0, ($1 ?? []).map { (x: Double($0.step), y: $0.loss) })
    }
    return DiffusionPage(
      inspection.report, losses: losses,
      gate: (curves?.gate ?? []).map { (x: Double($0.step), y: $0.loss) },
      sheet: inspection.sheet.map(ImageFile.png)
    ).page
  }
}

extension DiffusionReport {
  /// The report as people read it in a terminal.
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
      "\(name.printable): \(architecture)\n\(images) images of \(classes.count) classes"
    let parts = [head, blocks.isEmpty ? "" : table.text, diagnosis.joined(separator: "\n")]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n\n")
  }
}
