import ArgumentParser
import SystemPackage

struct Demo: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show on bundled data what Switchyard is for, in a few minutes.",
    discussion: """
      Continues training of the bundled language model, lets it write before and after, traces and \
      diagnoses its routing, places its experts on four devices, learns to draw digits, and \
      classifies sentences with experts of different kinds. Every part is made by commands that \
      are shown in the output and can be repeated, and leaves files that the other commands open. \
      OUT/report.html shows it all on one page that needs no network.

      Ctrl-C at any time leaves the folder in order; the same command continues where it stopped \
      and does not repeat finished work. To make a part again, remove its files.

      --quick takes a few steps of everything, in seconds: for tests, and to see that all of it runs. Its results \
      mean nothing.

      Examples:
        switchyard demo
        switchyard demo --out demo/
        switchyard demo --quick --out quick/
      """)

  @Option(help: "Folder for everything that is written (default: demo).", completion: .directory)
  var out: PathArgument?
  @Option(
    help:
      "Folder that holds Data/ and Examples/ of Switchyard (default: the current directory, or what was installed).",
    completion: .directory) var source: PathArgument?
  @Flag(help: "Take a few steps of everything; the results mean nothing.") var quick = false
  @OptionGroup var engine: EngineOptions

  func run() throws {
    engine.apply()
    let setting = DemoSetting(
      folder: out?.path ?? "demo", source: source?.path, isQuick: quick, threads: engine.threads)
    try DemoRun(setting).run()
  }
}
