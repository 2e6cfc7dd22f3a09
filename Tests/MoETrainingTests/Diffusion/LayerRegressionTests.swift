import Foundation
import Testing

/// What each part of ProMoE adds, on one layer.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing Guidance*, table 7,
///   [arXiv:2510.24711](https://arxiv.org/abs/2510.24711), whose order this repeats.
@Suite("Parts of ProMoE on a single layer", .serialized)
struct LayerRegressionTests {
  private func error(_ model: LayerRegression.Model, steps: Int) throws -> Double {
    let results = try [1, 2].map {
      try LayerRegression(model: model, common: 1, seed: $0).run(steps: steps).labelled
    }
    return results.reduce(0, +) / Double(results.count)
  }

  @Test("each part lowers the error")
  func order() throws {
    let models: [LayerRegression.Model] = [.linear, .prototypes, .prototypesContrastive, .full]
    let errors = try models.map { try error($0, steps: 400) }
    print("labelled error of \(models.map(\.rawValue)): \(errors)")
    #expect(errors[0] > errors[1] && errors[1] > errors[2] && errors[2] > 2 * errors[3])
  }

  /// How much tokens have in common in the table that is asked for, if one is.
  private static let asked = ProcessInfo.processInfo.environment["SWITCHYARD_LAYER_REGRESSION"]
    .flatMap(Double.init)

  @Test(
    "a whole table", .enabled(if: asked != nil, "takes minutes; Scripts/promoe-layer makes three"))
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
