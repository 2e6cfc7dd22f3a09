import Foundation
import Testing

/// What each part of ProMoE adds, on one layer.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing Guidance*, table 7,
///   [arXiv:2510.24711](https://arxiv.org/abs/2510.24711), whose order this repeats.
@Suite("Parts of ProMoE on a single layer", .serialized)
struct LayerRegressionTests {
  @Test("each part lowers the error, and a separate expert that of samples without a label")
  func order() throws {
    let models: [LayerRegression.Model] = [.dense, .prototypes, .prototypesContrastive, .full]
    let results = try models.map { model in
      try [1, 2].map { try LayerRegression(model: model, common: 1, seed: $0).run(steps: 600) }
    }
    let labelled = results.map { $0.reduce(0) { $0 + $1.labelled } / 2 }
    let unlabelled = results.map { $0.reduce(0) { $0 + $1.unlabelled } / 2 }
    for place in 1..<models.count {
      #expect(labelled[place] < 0.95 * labelled[place - 1], "\(models[place]): \(labelled)")
    }
    #expect(unlabelled[3] < 0.2 * unlabelled[2], "\(unlabelled)")
  }

  /// How much tokens have in common in the requested table, if any.
  private static let asked = ProcessInfo.processInfo.environment["SWITCHYARD_LAYER_REGRESSION"]
    .flatMap(Double.init)

  @Test(
    "a whole table",
    .enabled(if: asked != nil, "takes minutes; Scripts/studies/promoe-layer makes three"))
  func table() throws {
    let common = try #require(Self.asked)
    for model in LayerRegression.Model.allCases {
      let results = try [1, 2, 3].map {
        try LayerRegression(model: model, common: common, seed: $0).run(steps: 1200)
      }
      func mean(_ value: (LayerRegression.Result) -> Double) -> String {
        let all = results.map(value)
        return String(format: "%.4f", all.reduce(0, +) / Double(all.count))
      }
      let routing =
        model == .dense ? ["–", "–"] : [mean { $0.information }, mean { $0.active }]
      let cells =
        [model.rawValue, "\(common)", mean { $0.labelled }, mean { $0.unlabelled }] + routing
      print("ROW | \(cells.joined(separator: " | ")) |")
      #expect(results.allSatisfy { $0.labelled.isFinite && $0.unlabelled.isFinite })
    }
  }
}
