import MoECore
import MoEData
import MoEModels
import MoETensor
import Testing

@testable import MoETraining

@Suite("Training diffusion transformers in bf16")
struct DiffusionPrecisionTests {
  @Test(
    "works with every rule, whose thresholds and centroids stay f32",
    arguments: [nil] + DiffusionExpertsConfiguration.Router.builtIn)
  func rules(router: DiffusionExpertsConfiguration.Router?) throws {
    let model = try DiffusionTransformer(
      SampleImages.model(router).configuration,
      weights: MappedWeights.trainable(
        RandomWeights(RandomSource(seed: 1)), dtype: .bf16, device: .cpu))
    let set = try SampleImages.set()
    let task = try DiffusionTask(
      model, images: ShuffledImages(set, flips: false, seed: 2), validation: set,
      settings: .init(batchSize: 8))
    let loop = try TrainingLoop(
      task,
      settings: LoopSettings(
        schedule: LearningRateSchedule(
          peak: 1e-3, warmupSteps: 0, totalSteps: 10, decay: .constant),
        optimizer: AdamWSettings(weightDecay: 0), clip: 1, seed: 9))
    for _ in 0..<2 { #expect(try loop.advance().loss.isFinite) }
    #expect(try loop.evaluate().results.allSatisfy { $0.value.isFinite })
    #expect(model.parameters.allSatisfy { $0.parameter.value.dtype == .bf16 })
    #expect(model.buffers.allSatisfy { $0.parameter.value.dtype == .f32 })
  }
}
