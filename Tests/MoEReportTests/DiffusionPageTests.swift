import MoEEvaluation
import MoETestSupport
import MoETracing
import Testing

@testable import MoEReport

@Suite("Pages about diffusion transformers")
struct DiffusionPageTests {
  private func report(_ blocks: Int) -> DiffusionReport {
    let block = DiffusionReport.Block(
      place: 1, usage: [[8, 2], [1, 9]], halves: [[5, 5], [6, 4]], gate: 0.4,
      prototypes: [[1, -0.2], [-0.2, 1]],
      subspaces: [[1, 0.2, 0.1], [0.2, 1, 0.3], [0.1, 0.3, 1]], subspaceChance: 0.0625,
      separation: 0.8)
    return DiffusionReport(
      name: "digits <1>", architecture: "ProMoE", images: 10, classes: ["zero", "one"],
      roles: blocks == 0 ? nil : .init(routed: 0.45, unconditional: 0.05, shared: 0.5),
      blocks: Array(repeating: block, count: blocks))
  }

  @Test("show usage, gates, weights and pictures, and are well-formed")
  func whole() throws {
    let page = DiffusionPage(
      report(2), losses: [.init("training", [(x: 1, y: 2), (x: 2, y: 1)]), .init("none", [])],
      gate: [(x: 1, y: 0.1), (x: 2, y: 0.3)], sheet: [1, 2, 3]
    ).page
    let html = page.html
    for text in [
      "Experts of digits &lt;1&gt;", "Experts by class, block 1", "Gate value by block",
      "Cosines between prototypes", "Overlap of expert weights", "data:image/png;base64,AQID",
      "Total variation", "no label", "During training",
    ] { #expect(html.contains(text), "\(text)") }
    #expect(PageReader(html).problem == nil)
  }

  @Test("of a dense model say so and draw nothing")
  func dense() {
    let html = DiffusionPage(report(0)).page.html
    #expect(html.contains("The model is dense") && !html.contains("<svg"))
  }
}
