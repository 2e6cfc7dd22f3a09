import MoEData
import Foundation
import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import Testing

@testable import MoETraining

/// Fixtures: `Tests/Fixtures/make/diffusion.py`.
@Suite("Diffusion objectives")
struct DiffusionObjectiveTests {
  private let run: DiffusionRun

  init() throws { run = try DiffusionRun() }

  /// A loop whose steps are those of the reference.
  private func loop(_ model: DiffusionTransformer) throws -> TrainingLoop<GivenBatch> {
    let task = GivenBatch(
      model,
      RectifiedFlow.noised(
        try run.tensor("images"), noise: try run.tensor("noise"), sigma: try run.tensor("sigma")))
    return try TrainingLoop(
      task,
      settings: LoopSettings(
        schedule: LearningRateSchedule(
          peak: 1e-3, warmupSteps: 0, totalSteps: 100, decay: .constant),
        optimizer: AdamWSettings(beta1: 0.9, beta2: 0.999, weightDecay: 0), clip: 0.5,
        average: 0.9, averageWarmsUp: false))
  }

  @Test(
    "train a step like PyTorch if experts choose, and with three experts per token",
    arguments: DiffusionRun.rules.dropFirst())
  func oneStep(rule: DiffusionRun.Rule) throws {
    let loop = try loop(try run.model(rule.router, perToken: rule.perToken))
    let metrics = try loop.advance()
    let (loss, norm) = try (
      run.tensor(rule.prefix + "step/0/loss").item(as: Float.self),
      run.tensor(rule.prefix + "step/0/norm").item(as: Float.self)
    )
    #expect(abs(metrics.parts[0].value - Double(loss)) < 1e-5 * Double(loss))
    #expect(abs(metrics.gradientNorm - Double(norm)) < 1e-5 * Double(norm))
    // The bias of keys does not affect attention: its gradient is rounding, which AdamW turns into
    // a step.
    for named in loop.task.weights where !named.name.hasSuffix("attn.qkv.bias") {
      expectClose(
        named.parameter.value, try run.tensor(rule.prefix + "trained/" + named.name),
        .trainedWeights, named.name)
    }
  }

  @Test("train two steps as PyTorch: loss, clipping, AdamW and average")
  func twoSteps() throws {
    let loop = try loop(try run.model())
    let task = loop.task
    for step in 0..<2 {
      let metrics = try loop.advance()
      let (loss, norm) = try (
        run.tensor("step/\(step)/loss").item(as: Float.self),
        run.tensor("step/\(step)/norm").item(as: Float.self)
      )
      #expect(abs(metrics.parts[0].value - Double(loss)) < 1e-5 * Double(loss))
      #expect(abs(metrics.gradientNorm - Double(norm)) < 1e-5 * Double(norm))
    }
    let average = loop.state.optimizer.filter { $0.name.hasSuffix(".average") }
    for named in task.weights {
      let kept = try #require(average.first { $0.name == named.name + ".average" })
      let pairs = [
        (named.parameter.value, try run.tensor("trained/" + named.name)),
        (kept.tensor, try run.tensor("average/" + named.name)),
      ]
      for (found, expected) in pairs {
        guard named.name.hasSuffix("attn.qkv.bias") else {
          expectClose(found, expected, .trainedWeights, named.name)
          continue
        }
        // The bias of keys does not affect attention: its gradient is rounding, which AdamW turns
        // into a step.
        for part in [0..<8, 16..<24] {
          expectClose(found[part], expected[part], .trainedWeights, named.name)
        }
      }
    }
  }

  @Test("of noise with learned variances have the same terms and gradients")
  func noisePrediction() throws {
    let objective = NoisePrediction(try NoiseSchedule())
    let steps = try run.tensor("times").array(of: Int.self)
    let noisy = objective.noised(
      try run.tensor("noise_prediction/images"), noise: try run.tensor("noise"), steps: steps)
    #expect(noisy.times.array(of: Float.self) == steps.map(Float.init))
    let prediction = Parameter(try run.tensor("noise_prediction/prediction"))
    var terms: [Tensor] = []
    let found = try valueAndGradients(
      of: {
        let parts = objective.losses(prediction.value, for: noisy)
        #expect(parts.map(\.name) == ["noise_error", "variance_bits"])
        terms = parts.map { $0.value.detached() }
        return parts[0].value + parts[1].value
      }, for: [prediction])
    // The first steps compare means that differ by little more than the precision of f32.
    let close = Tolerance(relative: 1e-4, absolute: 1e-6)
    expectClose(terms[0], try run.tensor("noise_prediction/error"), close)
    expectClose(terms[1], try run.tensor("noise_prediction/bits"), close)
    let expected = try run.tensor("noise_prediction/gradient")
    let scale = Double(expected.abs().reshaped([-1]).max(axis: 0).item(as: Float.self))
    expectClose(
      found.gradients[0], expected, Tolerance(relative: 1e-3, absolute: 2e-4 * scale))
  }

  @Test("protect the learned mean from the variational term")
  func isolation() throws {
    let objective = NoisePrediction(try NoiseSchedule())
    let random = RandomSource(seed: 1)
    let noisy = objective.noised(
      random.uniform([3, 1, 4, 4], low: -1, high: 1), noise: random.normal([3, 1, 4, 4]),
      steps: [0, 10, 900])
    let (noise, variance) = (
      Parameter(random.normal([3, 1, 4, 4])), Parameter(random.uniform([3, 1, 4, 4]))
    )
    let found = try valueAndGradients(
      of: {
        objective.losses(
          Tensor.concatenated([noise.value, variance.value], axis: 1), for: noisy)[1].value
      }, for: [noise, variance])
    #expect(!(found.gradients[0] .!= 0).any() && (found.gradients[1] .!= 0).any())
    #expect(objective.losses(noise.value, for: noisy).map(\.name) == ["noise_error"])
  }

  @Test(
    "move images along straight lines, and give the model a thousand times the fraction of noise")
  func flow() throws {
    let random = RandomSource(seed: 4)
    let images = random.uniform([500, 1, 2, 2], low: -1, high: 1)
    let noisy = RectifiedFlow().noised(images, random: random)
    let sigma = noisy.times / 1000
    let expected = images + sigma.reshaped([500, 1, 1, 1]) * (noisy.noise - images)
    expectClose(noisy.images, expected, .sameKernels)
    // The logits of the times are standard normal.
    let logits = (sigma / (1 - sigma)).log()
    #expect(abs(logits.mean().item(as: Float.self)) < 0.1)
    #expect(abs((logits * logits).mean().item(as: Float.self) - 1) < 0.15)
    let perfect = noisy.noise - images
    #expect(RectifiedFlow().losses(perfect, for: noisy)[0].value.item(as: Float.self) == 0)
  }

  @Test("of flow leave the channels of variances at their initial values")
  func unusedVariances() throws {
    let model = try run.model()
    let noisy = RectifiedFlow.noised(
      try run.tensor("images"), noise: try run.tensor("noise"), sigma: try run.tensor("sigma"))
    let found = try valueAndGradients(
      of: {
        let output = model(
          noisy.images, times: noisy.times, labels: DiffusionRun.mixed, pass: .training)
        return RectifiedFlow().losses(output.prediction, for: noisy)[0].value
      }, for: model.parameters.map(\.parameter))
    for (weight, gradient) in zip(model.parameters, found.gradients)
    where weight.name.hasPrefix("final_layer.linear") {
      // Rows: place in the patch, then channel; the second half of the channels are variances.
      let rows = gradient.reshaped([4, 4, -1])
      #expect(!(rows.slice(axis: 1, 2..<4) .!= 0).any() && (rows.slice(axis: 1, 0..<2) .!= 0).any())
    }
  }

  @Test("use schedules whose values follow from their definition")
  func schedule() throws {
    let full = try NoiseSchedule()
    #expect(full.betas[0] == 1e-4 && abs(full.betas[999] - 0.02) < 1e-15)
    let product = full.betas.reduce(1.0) { $0 * (1 - $1) }
    #expect(abs(full.kept[999] - product) < 1e-12)
    let some = try NoiseSchedule(steps: 250)
    #expect(some.times.first == 0 && some.times.last == 999 && some.count == 250)
    #expect(abs(some.betas.reduce(1.0) { $0 * (1 - $1) } - product) < 1e-12)
    #expect(try NoiseSchedule(steps: 1).times == [999])
    #expect(throws: SettingError.self) { try NoiseSchedule(steps: 0) }
    #expect(throws: SettingError.self) { try NoiseSchedule(steps: 1001) }
  }
}

/// Trains on one batch with given noise.
private final class GivenBatch: TrainingTask {
  private let model: DiffusionTransformer
  private let noisy: NoisyImages
  let weights: [NamedParameter]
  var position = DataPosition()

  init(_ model: DiffusionTransformer, _ noisy: NoisyImages) {
    (self.model, self.noisy) = (model, noisy)
    weights = model.parameters
  }

  func nextBatch() -> Int { 4 }
  func modelFiles() -> [ModelFile] { [] }

  func loss(_ batch: Int, random: RandomSource) -> TaskLoss {
    let output = model(
      noisy.images, times: noisy.times, labels: DiffusionRun.mixed, pass: .training)
    let contrast = output.sparse[0].contrastiveLoss(temperature: 0.07) ?? Tensor(0 as Float)
    return TaskLoss(
      parts: RectifiedFlow().losses(output.prediction, for: noisy) + [
        .init("contrastive", contrast)
      ],
      units: batch)
  }
}
