import ArgumentParser
import Foundation

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check that every native part loads and works on this machine.",
    discussion: """
      Each check runs a small computation whose result is known. The exit code is 1 if any fails,
      and each failure says how to mend it.
      """)

  @Flag(help: "Print one JSON object instead of text.") var json = false

  func run() throws {
    let results = Diagnosis.checks.map { $0.run() }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      print(String(decoding: try encoder.encode(results), as: UTF8.self))
    } else {
      for result in results { print(result.line) }
    }
    let failures = results.count { !$0.passed }
    if !json {
      print(failures == 0 ? "Everything works." : "\(failures) of \(results.count) checks failed.")
    }
    if failures > 0 { throw ExitCode.failure }
  }
}
