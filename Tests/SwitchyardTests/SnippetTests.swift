import Foundation
import MoETestSupport
import Testing

/// The snippets that every build compiles, run as a reader would.
@Suite("Snippets")
struct SnippetTests {
  @Test("add a router from outside and train with it")
  func ownRouter() throws {
    let run = try Program.run([], named: "OwnRouter", in: Fixtures.package)
    #expect(run.exitCode == 0, "\(run.errors)")
    // round_robin: loss FIRST at step 1, LAST at step 30
    let words = run.output.split(whereSeparator: { $0 == " " || $0 == "\n" })
    let losses = [2, 6].compactMap { words.indices.contains($0) ? Double(words[$0]) : nil }
    try #require(losses.count == 2, "\(run.output)")
    #expect(losses[0] > 5 && losses[1] < losses[0] - 0.5, "\(run.output)")
  }

  @Test("show which experts a sentence uses")
  func firstSteps() throws {
    let run = try Program.run([], named: "FirstSteps", in: Fixtures.package)
    #expect(run.exitCode == 0, "\(run.errors)")
    let lines = run.output.split(separator: "\n")
    #expect(lines.count == 5 && lines.allSatisfy { $0.hasPrefix("layer ") }, "\(run.output)")
  }
}
