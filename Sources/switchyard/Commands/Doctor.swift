import ArgumentParser
import Foundation

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check that every native part loads and works on this machine.",
    discussion: """
      Each check runs a small computation whose result is known, in a process of its own, so that one \
      broken part cannot hide the others. The exit code is 1 if any fails, and each failure says how to \
      fix it.

      Example:
        switchyard doctor
      """)

  @Flag(help: "Print one JSON object instead of text.") var json = false
  @Option(help: .private) var check: String?

  func run() throws {
    if let check { return try Diagnosis.runAlone(check) }
    var results: [Diagnosis.Result] = []
    for check in Diagnosis.checks {
      let result = try check.runInChild()
      results.append(result)
      if !json { Output.line(result.line) }
    }
    let failures = results.count { !$0.passed }
    if json {
      try Output.json(results)
    } else {
      Output.line(
        failures == 0 ? "Everything works." : "\(failures) of \(results.count) checks failed.")
    }
    try Output.flush()
    if failures > 0 { throw ExitCode.failure }
  }
}
