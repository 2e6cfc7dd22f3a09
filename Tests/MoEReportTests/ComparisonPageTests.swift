import Foundation
import MoECore
import MoEPlacement
import MoEReport
import MoETestSupport
import MoETracing
import Testing

@Suite("The pages of comparisons")
struct ComparisonPageTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func counts(_ name: String, seed: UInt64, experts: Int = 8) throws -> RoutingCounts {
    try RoutingCounts(
      writeDependentTrace(to: folder.file(name), experts: experts, tokens: 2000, seed: seed),
      tables: [.firstTransitions])
  }

  @Test("two samples of the same routing differ as by chance, others by more")
  func drift() throws {
    let (one, two) = (try counts("a", seed: 1), try counts("b", seed: 2))
    let same = try DriftReport(from: one, to: two, names: (old: "a", new: "b"))
    for layer in same.layers { #expect(layer.drift < 4 * layer.byChance, "\(layer)") }
    #expect(same.diagnosis[1].hasPrefix("Over all layers that is what chance"))
    for (found, chance) in zip(same.affinities, same.affinitiesByChance) {
      #expect(found < 1.5 * chance && chance > 0)
    }
    var moved = two
    moved.loads = two.loads.map { Array($0.dropFirst(3) + $0.prefix(3)) }
    let other = try DriftReport(from: one, to: moved, names: (old: "a", new: "b"))
    #expect(other.layers[0].drift > 5 * other.layers[0].byChance)
    let layer = other.layers[0]
    #expect(layer.moved > 0 && layer.moved <= 1)
    #expect(layer.after[layer.risen] > layer.before[layer.risen])
    #expect(layer.after[layer.fallen] < layer.before[layer.fallen])
  }

  @Test("the page of a drift shows its numbers")
  func driftPage() throws {
    var report = try DriftReport(
      from: counts("a", seed: 1), to: counts("b", seed: 9), names: (old: "<a>", new: "b&"))
    let reader = expectSound(DriftPage(report).page.html)
    #expect(reader.texts["h1"] == ["Drift from <a> to b&"])
    let cells = Set(reader.cells)
    for layer in report.layers {
      #expect(cells.contains(NumberText.short(layer.drift)))
      #expect(cells.contains(NumberText.short(layer.byChance)))
    }
    for share in report.affinities { #expect(cells.contains(NumberText.pagePercent(share))) }
    for sentence in report.diagnosis { #expect((reader.texts["li"] ?? []).contains(sentence)) }
    (report.affinities, report.affinitiesByChance) = ([], [])
    #expect(expectSound(DriftPage(report).page.html).elements["svg"] == 2)
  }

  @Test("the steps of a training agree with the last one, more and more")
  func checkpoints() throws {
    let last = try writeDependentTrace(to: folder.file("last"), seed: 1)
    let near = try writeDependentTrace(to: folder.file("near"), seed: 1)
    let far = try writeDependentTrace(to: folder.file("far"), seed: 7)
    let report = try CheckpointReport(
      [(10, far), (100, near), (1000, last)], name: "<run>", devices: 4)
    #expect(report.steps.map(\.affinity.step) == [10, 100, 1000])
    #expect(report.steps[1].agreement == 1 && report.steps[2].agreement == 1)
    #expect(report.steps[0].agreement < 0.5 && report.steps[0].drift > report.steps[1].drift)
    // The slow way: first experts, one by one.
    let (a, b) = (try far.experts(in: 0..<600), try last.experts(in: 0..<600))
    let same = stride(from: 0, to: a.count, by: 2).count { a[$0] == b[$0] }
    #expect(report.steps[0].agreement == Double(same) / 1800)
    #expect(report.diagnosis.contains { $0.contains("settles by step 100") })
    let kept = try #require(report.steps[2].kept)
    #expect(kept > (report.steps[2].keptByNumber ?? 1))
    let reader = expectSound(CheckpointPage(report).page.html)
    let cells = Set(reader.cells)
    for step in report.steps {
      #expect(cells.contains(NumberText.short(step.affinity.mutualInformation)))
      #expect(cells.contains(NumberText.pagePercent(step.agreement)))
      #expect(cells.contains(NumberText.pagePercent(step.kept ?? -1)))
    }
    let odd = try CheckpointReport([(1, last)], name: "one", devices: 3)
    #expect(odd.steps[0].kept == nil)
    #expect(expectSound(CheckpointPage(odd).page.html).elements["svg"] == 4)
  }

  @Test("traces that do not belong together are refused")
  func refused() throws {
    let last = try writeDependentTrace(to: folder.file("last"))
    let other = try writeDependentTrace(to: folder.file("other"), tokens: 400)
    #expect(throws: PlacementError.self) {
      try CheckpointReport([(1, other), (2, last)], name: "", devices: 2)
    }
    #expect(throws: PlacementError.self) { try CheckpointReport([], name: "", devices: 2) }
    #expect(throws: TracingError.self) {
      try DriftReport(
        from: counts("a", seed: 1), to: counts("b", seed: 1, experts: 4),
        names: (old: "a", new: "b"))
    }
  }
}
