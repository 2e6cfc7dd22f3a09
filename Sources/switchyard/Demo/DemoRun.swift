import ArgumentParser
import Foundation
import MoECore
import MoEReport
import MoETraining
import SystemPackage

/// Runs a demo, from where it was left.
struct DemoRun {
  private let setting: DemoSetting
  private let stages: [any DemoStage]

  init(_ setting: DemoSetting) {
    self.setting = setting
    stages = DemoStages.all(setting)
  }

  /// Runs the remaining steps, prints the results, and writes the page.
  func run() throws {
    try setting.checkSource()
    try setting.folder.createFolders()
    let lock = try FolderLock(setting.folder)
    var record = try DemoRecord(setting)
    Interruption.announce("continue with: \(setting.command)".printable)
    Output.message("Ctrl-C stops; the same command continues.")
    for (place, stage) in stages.enumerated() {
      Output.line("\n== \(place + 1)/\(stages.count) \(stage.title)")
      for step in stage.steps { try perform(step, &record) }
      Output.line(try stage.summary())
      try Output.flush()
    }
    let page = setting.made("report.html")
    try DemoPage(setting, stages, record).page.write(to: page)
    Output.line("")
    Output.line("The report: \(page), for any browser.".printable)
    withExtendedLifetime(lock) {}
  }

  private func perform(_ step: DemoStep, _ record: inout DemoRecord) throws {
    let clock = ContinuousClock()
    let start = clock.now
    guard try !record.isDone(step, setting) else {
      return Output.line("$ \(step.line)   # done before".printable)
    }
    Output.line("$ \(step.line)".printable)
    try Output.flush()
    for name in step.results { try setting.made(name).removingLastComponent().createFolders() }
    var isDone = true
    switch step.work {
    case .command(let words):
      var outcome: TrainingOutcome?
      let text = try Output.keeping { outcome = try Self.run(words) }
      if case .stopped = outcome { isDone = false }
      if let output = step.output, isDone { try AtomicFile.write(text, to: setting.made(output)) }
    case .excerpt(let part, let path, let bytes, let target):
      try AtomicFile.write(part.bytes(MappedFile(path).copied(), count: bytes), to: target)
    }
    try record.note(
      step, seconds: (clock.now - start) / .seconds(1), isDone: isDone, setting)
    // A signal during training was deferred until the checkpoint was written.
    Interruption.deferNoMore()
  }

  /// Runs a command as if it had been typed; for a training run, returns how it ended.
  private static func run(_ words: [String]) throws -> TrainingOutcome? {
    var command = try Switchyard.parseAsRoot(words)
    if let training = command as? Train { return try training.train() }
    if var writer = command as? any WritesFiles {
      // What an interrupted step has left is the demo's own.
      writer.files.overwrite = true
      command = writer
    }
    try command.run()
    return nil
  }
}
