import MoETracing
import MoECore
import ArgumentParser
import MoEEvaluation
import MoEModels
import MoEPlacement
import MoEReport
import MoETraining

/// The run of a language model: its snapshots and its result, one after another.
struct RunSubject: InspectionSubject {
  private let command: Inspect
  private let run: RunFolder

  init?(_ command: Inspect) {
    guard let run = RunFolder(command.input.path), let last = run.models.last,
      let location = try? ModelLocation(last.path), location.kind is LanguageModels.Type
    else { return nil }
    (self.command, self.run) = (command, run)
  }

  func inspect() throws {
    try command.refuseComparison()
    guard !command.texts.text.isEmpty else {
      return try command.describe(
        ModelLocation(command.input.path), needing: "a text; add --text",
        hint: "To see its routing grow: switchyard inspect \(command.input.path) --text FILE")
    }
    let recording = try command.texts.recording()
    let progress = ProgressLine()
    defer { progress.end() }
    try SettingError.renaming(TextOptions.flags) {
      try recording.withTraces(
        of: run.models.map { ($0.step, $0.path) }, dtype: command.dtype?.dtype,
        progress: progress.show
      ) { traces in
        progress.end()
        try show(traces)
      }
    }
  }

  private func show(_ traces: [(step: Int, trace: RoutingTrace)]) throws {
    let report = try CheckpointReport(traces, name: run.name, devices: command.devices)
    let page = CheckpointPage(report, losses: LossCurves(command.input.path).series).page
    try command.finish(report, text: report.text, page: page)
  }
}
