@testable import MoEEvaluation
import Testing

@testable import MoEEvaluation

@Suite("Reports on diffusion transformers")
struct DiffusionReportTests {
  static func block(_ usage: [[Int]], prototypes: [[Double]] = []) -> DiffusionReport.Block {
    DiffusionReport.Block(
      place: 1, usage: usage, halves: [[5, 5, 0], [6, 4, 0]], gate: 0.4, prototypes: prototypes,
      subspaces: [[1, 0.2, 0.4], [0.2, 1, 0.6], [0.4, 0.6, 1]], subspaceChance: 0.0625,
      separation: 0.8)
  }

  @Test("count which classes use which experts")
  func usage() {
    let block = Self.block([[8, 2, 0], [6, 4, 0], [1, 9, 0], [5, 5, 0]])
    #expect(block.load == [20, 20, 0] && block.unused == [2])
    // 14 and 6 of 20, compared with 6 and 14 of 20.
    #expect(abs(block.variation(between: [[0, 1], [2, 3]]) - 0.4) < 1e-12)
    #expect(abs(block.variationByChance - 0.1) < 1e-12)
    #expect(abs((block.meanSubspaceOverlap ?? 0) - 0.4) < 1e-12)
    #expect(block.meanPrototypeCosine == nil)
  }

  @Test("say in sentences what they found")
  func diagnosis() {
    var report = DiffusionReport(
      name: "run", architecture: "ProMoE", images: 10, classes: ["a", "b", "c", "d", "e"],
      roles: .init(routed: 0.45, unconditional: 0.05, shared: 0.5),
      blocks: [Self.block([[8, 2, 0], [6, 4, 0], [1, 9, 0], [5, 5, 0], [0, 0, 0]])])
    #expect(report.classSets == [[0, 1], [2, 3, 4]])
    let text = report.diagnosis.joined(separator: "\n")
    #expect(text.contains("images: 1 (block 1: 2)"))
    #expect(text.contains("0.400 (total variation") && text.contains("count 0.400"))
    report.blocks = []
    #expect(report.diagnosis.count == 1 && report.mean({ $0.gate }) == nil)
  }
}
