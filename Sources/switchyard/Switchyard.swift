import ArgumentParser
import Foundation
import MoETensor

@main
struct Switchyard: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "switchyard",
    abstract: "A workbench for Mixture-of-Experts models.",
    discussion: """
      Start with 'switchyard doctor', which checks that everything works on this machine, and 'switchyard demo', which \
      shows what it can do. \
      'switchyard help COMMAND' explains a command.

      Exit codes: 0 success, 1 failure, 64 wrong usage.
      """,
    version: VersionReport.text,
    subcommands: [
      Demo.self, Doctor.self, Info.self, Generate.self, Sample.self, Classify.self,
      MeasurePerplexity.self, MeasureFidelity.self,
      Train.self, Upcycle.self,
      Trace.self, ImportTrace.self, Inspect.self, Place.self, PlanCommand.self,
      TokenizerCommand.self, Checkpoint.self, Convert.self,
    ])

  /// Runs the command; output that cannot be written is an error, too.
  static func main() {
    Interruption.install()
    Engine.keepFreedMemory()
    do {
      var command = try parseAsRoot()
      try command.run()
      try Output.flush()
    } catch {
      exit(with: HintedError.adding(to: error))
    }
  }

  private static func exit(with error: any Error) -> Never {
    let code = exitCode(for: error)
    let message = fullMessage(for: error)
    if code == .success {
      do {
        Output.line(message)
        try Output.flush()
      } catch {
        exit(with: error)
      }
    } else if !message.isEmpty {
      FileHandle.standardError.write(Data((message + "\n").utf8))
    }
    Foundation.exit(code.rawValue)
  }
}
