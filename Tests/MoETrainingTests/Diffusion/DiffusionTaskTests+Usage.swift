import MoEEvaluation
import Foundation
import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@testable import MoETraining

extension DiffusionTaskTests {
  @Test("counts what experts did, by class and by time")
  func usage() throws {
    let loop = try loop(.promoe)
    let metrics = try loop.advance()
    let usage = loop.task.usage
    #expect(usage.count == 1 && metrics.routing.count == 1 && metrics.units == 16)
    #expect(usage[0].byClass.count == 5 && usage[0].byClass[0].count == 5)
    #expect(usage[0].byTime.count == ExpertUsage.timeParts)
    for table in [usage[0].byClass, usage[0].byTime] {
      let sums = (0..<5).map { expert in table.reduce(0) { $0 + $1[expert] } }
      #expect(sums == metrics.routing[0].load.tokens && sums.reduce(0, +) == 16 * 16)
    }
    // Images without a label, and only they, use the last expert.
    #expect(usage[0].byClass[4].dropLast().allSatisfy { $0 == 0 })
    #expect(usage[0].byClass.dropLast().allSatisfy { $0[4] == 0 })
    #expect(metrics.parts.map(\.name) == ["velocity_error", "contrastive", "gate"])
    let experts = try #require(loop.task.model.configuration.experts)
    let roles = usage[0].roles(of: experts)
    let unlabelled = usage[0].byClass[4].reduce(0, +)
    #expect(usage[0].tokens == 16 * 16)
    #expect(
      roles
        == ExpertRoles(
          routed: 16 * 16 - unlabelled, unconditional: unlabelled, shared: 16 * 16))
    loop.task.forgetUsage()
    #expect(loop.task.usage[0].byClass.allSatisfy { $0.allSatisfy { $0 == 0 } })
  }

  @Test("writes tables of classes, roles and prototypes at an evaluation")
  func tables() throws {
    // The model knows six classes, the data four of them.
    let loop = try loop(.promoe) { ($0.classes, $0.labelDropout) = (6, 0.5) }
    loop.task.classNames = ["a", "b,c", "d", "e"]
    _ = try loop.advance()
    let experts = try #require(loop.task.model.configuration.experts)
    let shares = try #require(loop.task.usage[0].roles(of: experts).shares)
    let files = try loop.task.evaluationFiles()
    func lines(_ name: String) throws -> [String] {
      let file = try #require(files.first { $0.name == name })
      return String(decoding: file.bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }
    let classes = try lines("usage-by-class.csv")
    #expect(classes[0] == "block,class,0,1,2,3,4" && classes.count == 8)
    for (line, name) in zip(
      classes.dropFirst(), ["a", "\"b,c\"", "d", "e", "4", "5", "(no label)"])
    {
      #expect(line.hasPrefix("1,\(name),"), "\(line)")
    }
    #expect(classes[5].hasSuffix("4,0,0,0,0,0") && classes[6].hasSuffix("5,0,0,0,0,0"))
    #expect(classes[7].contains("),0,0,0,0,") && !classes[7].hasSuffix(",0"))
    #expect(
      try lines("roles.csv") == [
        "block,routed,unconditional,shared",
        "1,\(shares.routed),\(shares.unconditional),\(shares.shared)",
      ])
    #expect(shares.shared == 0.5 && shares.unconditional > 0)
    let cosines = try lines("prototypes.csv")
    let expected = Prototypes.similarities(loop.task.model.prototypes[0]).array(of: Float.self)
    #expect(
      cosines.count == 5
        && cosines[1] == "1,0," + expected[..<4].map { "\($0)" }.joined(separator: ","))
    // Counts are reset.
    let again = try loop.task.evaluationFiles().first { $0.name == "roles.csv" }
    let text = String(decoding: try #require(again).bytes, as: UTF8.self)
    #expect(text.hasSuffix("\n1,0.0,0.0,0.0\n"))
  }

  @Test("drops the fraction of labels that the model specifies")
  func labelDropout() throws {
    for share in [0.0, 0.5] {
      let loop = try loop(.kMeans, batch: 64) {
        $0.labelDropout = share
        $0.experts?.hasUnconditional = share > 0
      }
      for _ in 0..<8 { _ = try loop.advance() }
      let usage = loop.task.usage[0].byClass
      let all = usage.reduce(0) { $0 + $1.reduce(0, +) }
      #expect(all == 8 * 64 * 16 && usage.count == (share > 0 ? 5 : 4))
      guard share > 0 else { continue }
      let without = Double(usage[4].reduce(0, +)) / Double(all)
      #expect(abs(without - share) < 0.08)
    }
  }
}
