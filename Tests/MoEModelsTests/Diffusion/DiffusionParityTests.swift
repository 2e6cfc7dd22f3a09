import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import Testing

/// Fixtures: `Tests/Fixtures/make/diffusion.py`.
@Suite("Diffusion transformers, compared with plain PyTorch")
struct DiffusionParityTests {
  private let fixture: DiffusionFixture

  init() throws { fixture = try DiffusionFixture() }

  private static let coefficients = [
    "contrastive": 1.0, "balance": 0.01, "capacity": 0.01, "classification": 1,
  ]

  private func input() throws -> (images: Tensor, noise: Tensor, sigma: Tensor) {
    (
      try fixture.tensor("inputs/images"), try fixture.tensor("inputs/noise"),
      try fixture.tensor("inputs/sigma")
    )
  }

  private func output(
    _ model: DiffusionTransformer, _ test: DiffusionFixture.Case
  ) throws -> DiffusionTransformer.Output {
    let (images, noise, sigma) = try input()
    let share = sigma.reshaped([4, 1, 1, 1])
    return model(
      (1 - share) * images + share * noise, times: sigma * 1000,
      labels: DiffusionFixture.labels(test), pass: .training)
  }

  private func auxiliary(_ output: DiffusionTransformer.Output) -> [String: Tensor] {
    guard let layer = output.sparse.first else { return [:] }
    var found = ["balance": layer.balanceLoss]
    found["contrastive"] = layer.contrastiveLoss(temperature: 0.07)
    found["capacity"] = layer.capacityLoss
    found["classification"] = layer.classificationLoss
    return found
  }

  @Test("give the same outputs and losses", arguments: DiffusionFixture.cases)
  func outputs(test: DiffusionFixture.Case) throws {
    let output = try output(try fixture.model(test), test)
    expectClose(
      output.prediction, try fixture.tensor(test.name + "/prediction"), .diffusion, "prediction")
    for (name, value) in auxiliary(output) where fixture.contains("\(test.name)/\(name)") {
      expectClose(value, try fixture.tensor("\(test.name)/\(name)"), .diffusion, name)
    }
  }

  @Test("have the same gradients of the whole loss", arguments: DiffusionFixture.cases)
  func gradients(test: DiffusionFixture.Case) throws {
    try compareGradients(of: test, with: test.name) { output, error in
      expectClose(error, try fixture.tensor(test.name + "/loss"), .diffusion, "loss")
      return auxiliary(output).reduce(error) { loss, part in
        guard fixture.contains("\(test.name)/\(part.key)") else { return loss }
        return loss + part.value * (Self.coefficients[part.key] ?? 0)
      }
    }
  }

  @Test(
    "have the gradients of the released code, which adds auxiliary losses in the backward pass")
  func injection() throws {
    let test = try #require(
      DiffusionFixture.cases.first { $0.name == "promoe-tokens-identity-1-mixed" })
    try compareGradients(of: test, with: "injected") { output, error in
      // Three times the one loss, without changing the other.
      let contrast = output.sparse[0].contrastiveLoss(temperature: 0.07)
      return error * 3 + (contrast ?? Tensor(0 as Float))
    }
  }

  /// Compares the gradients of a loss, made of the output and its error, with those under a name of the fixture.
  private func compareGradients(
    of test: DiffusionFixture.Case, with name: String,
    loss: (_ output: DiffusionTransformer.Output, _ error: Tensor) throws -> Tensor
  ) throws {
    let model = try fixture.model(test)
    let (images, noise, _) = try input()
    let found = try valueAndGradients(
      of: {
        let output = try output(model, test)
        let velocity = output.prediction.split(count: 2, axis: 1)[0]
        return try loss(output, velocity.meanSquaredError(noise - images))
      }, for: model.parameters.map(\.parameter))
    try compare(found.gradients, of: model, with: name)
  }

  private func compare(
    _ gradients: [Tensor], of model: DiffusionTransformer, with name: String
  ) throws {
    for (weight, gradient) in zip(model.parameters, gradients) {
      let expected = try fixture.tensor("\(name)/gradient/\(weight.name)")
      if expected.shape == [1], gradient.shape != [1] {
        #expect(!(gradient .!= 0).any(), "\(weight.name) has a gradient")
        continue
      }
      let isPartial = weight.name == "t_embedder.mlp.0.weight"
      let scale = Double(expected.abs().reshaped([-1]).max(axis: 0).item(as: Float.self))
      expectClose(
        isPartial ? gradient.slice(axis: 1, 0..<256, step: 32) : gradient, expected,
        Tolerance(relative: 1e-5, absolute: 1e-5 * scale + 1e-7), weight.name)
    }
  }

  @Test("update thresholds and centroids like the reference", arguments: ["diffmoe", "k_means"])
  func learning(name: String) throws {
    let test = try #require(DiffusionFixture.cases.first { $0.name == name })
    let model = try fixture.model(test)
    model.learn(from: try output(model, test).sparse)
    let buffer = try #require(model.buffers.first { $0.name != "pos_embed" })
    expectClose(buffer.parameter.value, try fixture.tensor(name + "/updated"), .diffusion)
  }

  @Test("choose by thresholds when images are made")
  func capacities() throws {
    let test = try #require(DiffusionFixture.cases.first { $0.name == "diffmoe" })
    let (images, noise, sigma) = try input()
    let found = try fixture.model(test)(
      (images + noise) * 0.5, times: sigma * 1000, labels: DiffusionFixture.labels(test))
    expectClose(found.prediction, try fixture.tensor("diffmoe/inference"), .diffusion)
  }
}
