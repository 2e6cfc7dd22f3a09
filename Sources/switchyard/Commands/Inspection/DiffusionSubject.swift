import ArgumentParser
import MoEData
import MoEEvaluation
import MoEModels
import MoEReport
import MoETraining
import SystemPackage

/// A diffusion transformer, or the run that trained it.
struct DiffusionSubject: InspectionSubject {
  private let command: Inspect
  private let location: ModelLocation

  init?(_ command: Inspect) {
    guard let location = try? ModelLocation(command.input.path),
      location.kind is DiffusionModels.Type
    else { return nil }
    (self.command, self.location) = (command, location)
  }

  func inspect() throws {
    try command.refuseComparison()
    guard command.texts.text.isEmpty else {
      throw ValidationError(
        "\(command.input.path) makes images; --text is for models that read texts.")
    }
    guard let images else {
      return try command.describe(
        location, needing: "images; add --data",
        hint: "To see its experts: switchyard inspect \(command.input.path) --data PATH")
    }
    let name = command.input.path.lastComponent?.string ?? command.input.path.string
    let line = ProgressLine()
    defer { line.end() }
    let found = try DiffusionInspection(
      of: location.path, on: images, name: name, progress: line.show)
    line.end()
    try command.finish(found.report, text: found.report.text, page: page(found))
  }

  /// The images that `--data` names, or those of the run.
  private var images: DiffusionInspection.Images? {
    command.labelled.images.map { .files($0) } ?? location.run.map { .run($0) }
  }

  private func page(_ inspection: DiffusionInspection) -> Page {
    let curves = location.run.map { LossCurves($0) }
    return DiffusionPage(
      inspection.report, losses: curves?.series ?? [],
      gate: (curves?.gate ?? []).map { (x: Double($0.step), y: $0.loss) },
      sheet: inspection.sheet.map(ImageFile.png),
      weights: RunWeights(of: location)?.rawValue
    ).page
  }
}
