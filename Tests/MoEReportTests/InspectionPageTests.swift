import MoERouting
import Foundation
import MoECore
import MoEPlacement
import MoEReport
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

/// A trace whose layers depend on one another, in two texts.
func writeDependentTrace(
  to path: FilePath, layers: Int = 3, experts: Int = 8, tokens: Int = 600, seed: UInt64 = 1,
  model: String = "a <model>"
) throws -> RoutingTrace {
  var generator = SeededGenerator(seed: seed)
  let header = RoutingTraceHeader(
    model: model, layers: Array(1...layers), experts: experts, k: 2, sources: ["law", "<i>poems"])
  let writer = try RoutingTraceWriter(header, tokens: true, to: path)
  for source in 0..<2 {
    writer.beginSequence(source: source, promptLength: tokens / 4)
    var choices: [UInt16] = []
    for _ in 0..<tokens / 2 {
      var first = Int.random(in: 0..<experts, using: &generator)
      if source == 1 { first = first / 2 }
      for _ in 0..<layers {
        let second = (first + Int.random(in: 1..<experts, using: &generator)) % experts
        choices += [UInt16(first), UInt16(second)]
        // Mostly the same successor.
        first =
          Int.random(in: 0..<4, using: &generator) > 0
          ? (first * 3 + 1) % experts : Int.random(in: 0..<experts, using: &generator)
      }
    }
    try writer.append(
      experts: choices, tokens: (0..<tokens / 2).map { Int32($0 % 7) })
  }
  try writer.finish()
  return try RoutingTrace(path)
}

@Suite("The page of inspect")
struct InspectionPageTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("shows the numbers of the report, all of them")
  func numbers() throws {
    let trace = try writeDependentTrace(to: folder.file("t"))
    let classes = TokenClasses([" the", " gate", "s", "\n", ",", " 12", "!"])
    var report = try TraceReport(trace, classes: classes)
    let advice = try PlacementAdvice(PlacementStudy(trace, heldOut: 0.5), devices: 4)
    report.diagnosis += advice.sentences
    let reader = expectSound(InspectionPage(report, advice: advice).page.html)
    #expect(reader.texts["h1"] == ["Routing of a <model>"])
    let cells = Set(reader.cells)
    for layer in report.layers {
      #expect(cells.contains(NumberText.short(layer.statistics.imbalance)))
      #expect(cells.contains(NumberText.short(layer.statistics.entropy)))
      let mean = Double(layer.load.reduce(0, +)) / 8
      for load in layer.load { #expect(cells.contains(NumberText.short(Double(load) / mean))) }
    }
    for it in report.transitions {
      #expect(cells.contains(NumberText.short(it.mutualInformation)))
      #expect(cells.contains(NumberText.pagePercent(it.excessShare)))
    }
    for share in report.affinities[0] { #expect(cells.contains(NumberText.pagePercent(share))) }
    for kind in report.specializations {
      for share in kind.shares { #expect(cells.contains(NumberText.pagePercent(share))) }
    }
    for share in [advice.linearCrossings, advice.plannedCrossings, advice.fewestCrossings] {
      #expect(cells.contains(NumberText.pagePercent(share)))
    }
    for sentence in report.diagnosis { #expect((reader.texts["li"] ?? []).contains(sentence)) }
    #expect(cells.contains("<i>poems") && cells.contains("function word"))
  }

  @Test("draws the requested layers")
  func chosenLayers() throws {
    let report = try TraceReport(writeDependentTrace(to: folder.file("t"), layers: 5))
    let titles = expectSound(InspectionPage(report, layers: [2, 4, 9]).page.html).texts["h3"] ?? []
    #expect(
      titles.filter { $0.hasPrefix("Affinity") } == [
        "Affinity, layer 2 to 3", "Affinity, layer 4 to 5",
      ])
  }

  @Test("is complete for loads alone, one expert per token, one layer, and no tokens")
  func small() throws {
    let counts = RoutingCounts(
      layers: [0, 4], expertCount: 3, k: 1, tokenCount: 6, loads: [[6, 0, 0], [1, 2, 3]],
      firstLoads: [[6, 0, 0], [1, 2, 3]], weightedLoads: [[6, 0, 0], [1, 2, 3]])
    let loads = expectSound(InspectionPage(TraceReport(counts)).page.html)
    #expect(loads.elements["svg"] == 3)
    for (layers, tokens) in [(1, 3), (2, 0), (2, 1)] {
      let sample = folder.file("s\(layers)\(tokens)")
      let header = RoutingTraceHeader(layers: Array(0..<layers), experts: 2, k: 1)
      let writer = try RoutingTraceWriter(header, to: sample)
      try writer.append(experts: [UInt16](repeating: 1, count: layers * tokens))
      try writer.finish()
      _ = expectSound(InspectionPage(try TraceReport(RoutingTrace(sample))).page.html)
    }
  }
}

@Suite("Advice about placement")
struct PlacementAdviceTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("gives the same numbers as place, and never promises more than the bound")
  func numbers() throws {
    let trace = try writeDependentTrace(to: folder.file("t"), tokens: 4000)
    let study = try PlacementStudy(trace, heldOut: 0.5)
    let advice = try PlacementAdvice(study, devices: 4)
    let problem = try PlacementProblem(
      study.counts(study.fitted), topology: PlacementTopology(ranksPerNode: 4))
    let solver = AutomaticSolver(timeLimit: 2)
    let report = try PlacementReport(solver.solve(problem), problem, study, solver: solver)
    #expect(advice.saved == report.saved && advice.savedByNull == report.savedByNull)
    #expect(advice.linearCrossings == report.linear.crossingShare)
    #expect(advice.fewestCrossings <= report.fitted.crossingShare + 1e-12)
    #expect(advice.saved > 0.03)
    #expect(advice.mostSaved > 0 && advice.mostSaved <= 1)
    #expect(advice.compromise.saved <= advice.saved + 0.02)
    #expect(advice.sentences[0].contains("no placement could save more than"))
    #expect(advice.sentences.last?.hasPrefix("Doing nothing is right") ?? false)
  }

  @Test("gives no advice if tokens go anywhere")
  func nothing() throws {
    var generator = SeededGenerator(seed: 3)
    let header = RoutingTraceHeader(layers: [0, 1, 2], experts: 4, k: 1)
    let writer = try RoutingTraceWriter(header, to: folder.file("t"))
    try writer.append(
      experts: (0..<60_000).map { _ in UInt16.random(in: 0..<4, using: &generator) })
    try writer.finish()
    let study = try PlacementStudy(RoutingTrace(folder.file("t")), heldOut: 0.5)
    let advice = try PlacementAdvice(study, devices: 2)
    #expect(abs(advice.saved) < 0.03 && advice.savedByBalancing < 0.02)
    #expect(advice.sentences.last?.hasPrefix("Doing nothing is right here") ?? false)
  }

  @Test("does not use more tokens of each part than requested")
  func limit() throws {
    let trace = try writeDependentTrace(to: folder.file("t"), tokens: 400)
    let study = try PlacementStudy(trace, heldOut: 0.5, limit: 50)
    #expect(study.fitted == 0..<50 && study.judged == 200..<250)
  }
}
