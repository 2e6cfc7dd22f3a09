import MoECore
import MoEPlacement
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("Inspections of routing")
struct RoutingInspectionTests {
  /// Tokens without affinity, nine of ten of which choose one of two experts that are on different devices by index.
  private func popular(in folder: TemporaryFolder) throws -> RoutingTrace {
    var generator = SeededGenerator(seed: 5)
    let writer = try RoutingTraceWriter(
      .init(layers: [0, 1, 2], experts: 8, k: 1), to: folder.file("t"))
    for _ in 0..<4_000 {
      try writer.append(
        experts: (0..<3).map { _ in
          let isPopular = Int.random(in: 0..<10, using: &generator) > 0
          let choices: [UInt16] = isPopular ? [0, 2] : [1, 3, 4, 5, 6, 7]
          return choices[Int.random(in: 0..<choices.count, using: &generator)]
        })
    }
    try writer.finish()
    return try RoutingTrace(folder.file("t"))
  }

  @Test("do not advise to do nothing where popularity alone saves crossings")
  func popularity() throws {
    let folder = try TemporaryFolder()
    let inspection = try RoutingInspection(.trace(popular(in: folder)), devices: 4)
    let advice = try #require(inspection.placement)
    #expect(advice.saved > 0.3 && advice.savedByNull > 0.3 && advice.savedByAffinity >= 0)
    let text = inspection.report.diagnosis.joined(separator: " ")
    #expect(text.contains("There is practically no affinity"))
    #expect(text.contains("so none of it is affinity between layers"))
    #expect(!text.lowercased().contains("do nothing") && !text.contains("nothing is right here"))
  }

  @Test("of one layer speak of balance, not of unknown tokens")
  func oneLayer() throws {
    let folder = try TemporaryFolder()
    let writer = try RoutingTraceWriter(
      .init(layers: [0], experts: 4, k: 1), to: folder.file("t"))
    // Loads of 4, 4, 1 and 1 in each half: the first two are on one device in order, which has 1.6 times the mean.
    let half: [UInt16] = [0, 0, 0, 0, 1, 1, 1, 1, 2, 3]
    try writer.append(experts: half + half)
    try writer.finish()
    let inspection = try RoutingInspection(
      .trace(RoutingTrace(folder.file("t"))), devices: 2)
    let text = inspection.report.diagnosis.joined(separator: " ")
    #expect(text.contains("One layer has no steps to another") && !text.contains("Only loads"))
    #expect(text.contains("the busiest has 1.6 times the mean load"), "\(text)")
    #expect(text.contains("balanced, 1.0 times"), "\(text)")
    let file = try folder.write(Array("[[8, 8, 2, 2]]".utf8), to: "counts.json")
    let counts = try RoutingInspection(RoutingSource(file), devices: 2)
    #expect(counts.report.diagnosis.contains { $0.hasPrefix("Only loads are known") })
  }

  @Test("say how far they are, to the end")
  func progress() throws {
    let folder = try TemporaryFolder()
    var steps: [Progress] = []
    _ = try RoutingInspection(.trace(popular(in: folder)), devices: 4) { steps.append($0) }
    #expect(steps.map(\.activity).contains("measuring layers"))
    #expect(steps.last?.activity == "placing experts")
    #expect(steps.allSatisfy { 0...$0.total ~= $0.completed })
  }
}
