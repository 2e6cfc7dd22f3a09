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

      Exit codes: 0 success; 64 wrong usage: an option or argument that is unknown, missing, badly \
      written, out of range, or that does not go with the others; 1 any other failure: files that are \
      missing or wrong, values that do not fit what the files hold, output that cannot be written.

      'switchyard --generate-completion-script bash', zsh or fish prints what completes commands and \
      options in a shell.
      """,
    version: VersionReport.text,
    subcommands: [
      Demo.self, Doctor.self, Info.self, Generate.self, Sample.self, Classify.self,
      Evaluate.self, MeasurePerplexity.self, MeasureFidelity.self,
      Train.self, Upcycle.self, Quantize.self, Verify.self,
      Trace.self, ImportTrace.self, Inspect.self, Place.self, PlanCommand.self,
      TokenizerCommand.self, Checkpoint.self, Convert.self,
    ])

  /// Runs the command; output that cannot be written is an error, too.
  static func main() {
    StandardStreams.reserve()
    Interruption.install()
    Engine.keepFreedMemory()
    checkKernelSettings()
    do {
      let words = CommandLineWords.joiningValues(try CommandLineWords.given())
      try CommandLineWords.checkCommand(words)
      var command = try parseAsRoot(words)
      try command.run()
      try Output.flush()
      leave(0)
    } catch {
      exit(with: HintedError.adding(to: error))
    }
  }

  /// Ends the program if the environment asks for kernels that it does not have; before all else, because even the
  /// version report names the kernels.
  private static func checkKernelSettings() {
    do {
      try Engine.checkKernelSettings()
    } catch {
      StandardError.failure("Error: \(error)")
      leave(ExitCode.failure.rawValue)
    }
  }

  private static func exit(with error: any Error) -> Never {
    let code = exitCode(for: error)
    let message = CommandLineWords.explaining(fullMessage(for: error), CommandLine.arguments)
    if code == .success {
      do {
        Output.line(message)
        try Output.flush()
      } catch {
        exit(with: error)
      }
    } else if !message.isEmpty {
      code == .failure ? StandardError.failure(message) : StandardError.usage(message)
    }
    leave(code.rawValue)
  }

  /// Ends the program without taking down libraries that end with it anyway, which takes longer than many a command.
  private static func leave(_ code: Int32) -> Never {
    // C libraries may hold output back.
    fflush(nil)
    _exit(code)
  }
}
