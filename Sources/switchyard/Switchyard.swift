import ArgumentParser

@main
struct Switchyard: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "switchyard",
    abstract: "A workbench for Mixture-of-Experts models.",
    discussion: """
      Start with 'switchyard doctor', which checks that everything works on this machine.
      'switchyard help COMMAND' explains a command.

      Exit codes: 0 success, 1 failure, 64 wrong usage.
      """,
    version: VersionReport.text,
    subcommands: [Doctor.self, Checkpoint.self])
}
