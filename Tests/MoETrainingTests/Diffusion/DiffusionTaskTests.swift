import MoEEvaluation
import MoEData
import Foundation
import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@testable import MoETraining

@Suite("Training diffusion transformers", .serialized)
struct DiffusionTaskTests {
  private static let routers: [DiffusionExpertsConfiguration.Router?] =
    [nil] + DiffusionExpertsConfiguration.Router.builtIn

  func loop(
    _ router: DiffusionExpertsConfiguration.Router?, flips: Bool = false, batch: Int = 16,
    accumulation: Int = 1, average: Double? = nil, limit: Double = 1, fusesUpdates: Bool = false,
    change: (inout DiffusionConfiguration) -> Void = { _ in }
  ) throws -> TrainingLoop<DiffusionTask> {
    let set = try SampleImages.set()
    let task = try DiffusionTask(
      SampleImages.model(router, change: change),
      images: ShuffledImages(set, flips: flips, seed: 2), validation: set,
      settings: .init(batchSize: batch))
    return try TrainingLoop(
      task,
      settings: LoopSettings(
        accumulation: accumulation,
        schedule: LearningRateSchedule(
          peak: 3e-3, warmupSteps: 0, totalSteps: 200, decay: .constant),
        optimizer: AdamWSettings(weightDecay: 0), clip: limit, fusesUpdates: fusesUpdates,
        average: average, seed: 9))
  }

  @Test("is the same when each weight is updated immediately", arguments: routers)
  func fusedUpdates(router: DiffusionExpertsConfiguration.Router?) throws {
    for limit in [0.1, Double.infinity] {
      let plain = try loop(router, limit: limit)
      let fused = try loop(router, limit: limit, fusesUpdates: true)
      for _ in 0..<3 {
        let (one, other) = (try fused.advance(), try plain.advance())
        #expect(one.loss == other.loss && one.gradientNorm == other.gradientNorm)
      }
      #expect(fused.task.usage == plain.task.usage)
      for (one, other) in zip(fused.state.model, plain.state.model) {
        expectClose(one.tensor, other.tensor, .exact, "\(one.name), limit \(limit)")
      }
    }
  }

  @Test("learns with every rule", arguments: routers)
  func learns(router: DiffusionExpertsConfiguration.Router?) throws {
    let loop = try loop(router)
    let before = try loop.evaluate().results
    #expect(before.map(\.name) == ["loss", "loss_unlabelled"])
    for _ in 0..<25 { _ = try loop.advance() }
    let after = try loop.evaluate().results
    #expect(after[0].value < 0.7 * before[0].value, "\(before[0].value) to \(after[0].value)")
    #expect(after[1].value < before[1].value)
  }

  @Test(
    "does not change thresholds and centroids after an abandoned step",
    arguments: [DiffusionExpertsConfiguration.Router.diffMoE, .kMeans])
  func abandoned(router: DiffusionExpertsConfiguration.Router) throws {
    let (loop, other) = (try loop(router), try loop(router))
    for it in [loop, other] { _ = try it.advance() }
    // A batch's results are kept until its step ends, and this one never does.
    let batch = try loop.task.nextBatch()
    _ = try loop.task.loss(batch, random: RandomSource(seed: 5))
    loop.task.stepAbandoned()
    loop.task.stepEnded(routing: [])
    #expect(loop.task.usage == other.task.usage)
    for (found, expected) in zip(loop.task.buffers, other.task.buffers) {
      expectClose(found.parameter.value, expected.parameter.value, .exact, found.name)
    }
  }

  @Test("logs the gate without learning from it")
  func gate() throws {
    let step = try loop(.promoe).advance()
    let gate = try #require(step.parts.first { $0.name == "gate" })
    #expect(gate.value > 0 && gate.value < 1)
    let own = step.parts.filter { $0.name != "gate" }.reduce(0) { $0 + $1.value }
    #expect(abs(step.loss - own) < 1e-4 * step.loss)
    #expect(try loop(nil).advance().parts.contains { $0.name == "gate" } == false)
  }

  @Test("learns to predict noise with variances")
  func learnsNoise() throws {
    let loop = try loop(.promoe) { ($0.objective, $0.learnsSigma) = (.noisePrediction, true) }
    let before = try loop.evaluate().results[0].value
    for _ in 0..<40 { _ = try loop.advance() }
    #expect(try loop.evaluate().results[0].value < 0.6 * before)
  }

  @Test("continues from a checkpoint bit for bit", arguments: routers)
  func resumes(router: DiffusionExpertsConfiguration.Router?) throws {
    let folder = try TemporaryFolder()
    let whole = try loop(router, flips: true, batch: 6, accumulation: 2, average: 0.9)
    for _ in 0..<7 { _ = try whole.advance() }
    let path = folder.file("checkpoint")
    try TrainingCheckpoint.write(whole.state, seed: 9, files: [], to: path)
    let expected = try (0..<4).map { _ in try whole.advance().loss }
    let resumed = try loop(router, flips: true, batch: 6, accumulation: 2, average: 0.9)
    try resumed.restore(TrainingCheckpoint.read(path).state)
    #expect(try (0..<4).map { _ in try resumed.advance().loss } == expected)
    #expect(try resumed.evaluate().results == whole.evaluate().results)
  }

  @Test(
    "recomputes blocks with the same losses",
    arguments: [
      DiffusionExpertsConfiguration.Router.promoe, .promoeExpertChoice, .diffMoE,
    ])
  func recomputes(router: DiffusionExpertsConfiguration.Router) throws {
    func losses(_ recomputes: Bool) throws -> [Double] {
      var settings = DiffusionTask.Settings(batchSize: 8)
      settings.recomputes = recomputes
      let task = try DiffusionTask(
        SampleImages.model(router),
        images: ShuffledImages(SampleImages.set(), flips: false, seed: 2), settings: settings)
      let loop = try TrainingLoop(
        task,
        settings: LoopSettings(
          schedule: LearningRateSchedule(peak: 1e-3, totalSteps: 10, decay: .constant),
          optimizer: AdamWSettings(weightDecay: 0)))
      return try (0..<4).map { _ in try loop.advance().loss }
    }
    for (one, other) in zip(try losses(true), try losses(false)) {
      #expect(Tolerance.trainingCurve.allows(one, for: other))
    }
  }

  @Test("keeps gates open and experts in use with the contrastive loss")
  func contrastive() throws {
    func gate(_ factor: Double) throws -> (weight: Double, busy: Int) {
      let model = try SampleImages.model(.promoe)
      var settings = DiffusionTask.Settings(batchSize: 16)
      settings.losses["contrastive"] = factor
      let set = try SampleImages.set()
      let task = try DiffusionTask(
        model, images: ShuffledImages(set, flips: false, seed: 2), settings: settings)
      let loop = try TrainingLoop(
        task,
        settings: LoopSettings(
          schedule: LearningRateSchedule(
            peak: 3e-3, warmupSteps: 0, totalSteps: 200, decay: .constant),
          optimizer: AdamWSettings(weightDecay: 0)))
      for step in 0..<40 {
        if step == 30 { task.forgetUsage() }
        _ = try loop.advance()
      }
      // Patches of the last ten steps, at all times, by routed expert.
      let load = (0..<4).map { expert in task.usage[0].byClass.reduce(0) { $0 + $1[expert] } }
      let output = model(
        set.images(Array(0..<16), random: nil), times: Tensor.full(300, [16]),
        labels: (0..<16).map { $0 % 4 })
      let weights = output.sparse[0].conditional.weights
      return (
        Double(weights.mean().item(as: Float.self)),
        load.count { $0 > 0 }
      )
    }
    let (with, without) = (try gate(1), try gate(0))
    #expect(with.weight > without.weight && with.busy == 4, "\(with), \(without)")
  }

  @Test("repeats the same order of images, mirrored or not")
  func order() throws {
    let set = try SampleImages.set(10)
    let source = ShuffledImages(set, flips: true, seed: 4)
    let first = try (0..<7).map { _ in try source.next(3) }
    source.position = DataPosition(epoch: 0, index: 3)
    let again = try source.next(3)
    expectClose(again.images, first[1].images, .exact)
    #expect(again.labels == first[1].labels && source.position.index == 6)
    // Ten images per epoch: all appear once, some mirrored.
    let labels = first.flatMap(\.labels)
    #expect(labels[..<10].sorted() == (0..<10).map { $0 % 4 }.sorted())
    let plain = ShuffledImages(set, flips: false, seed: 4)
    let isMirrored = try first.contains {
      let other = try plain.next(3)
      return ($0.images .!= other.images).any()
    }
    #expect(isMirrored)
  }

  @Test("scales bytes to -1 to 1, and refuses labels and shapes that do not fit")
  func arrays() throws {
    let bytes = Tensor([0, 255, 51, 102] as [UInt8], shape: [1, 1, 2, 2])
    let set = try ImageArray(bytes, labels: [0], classes: 1)
    expectClose(
      set.images([0], random: nil),
      Tensor([-1, 1, -0.6, -0.2] as [Float], shape: [1, 1, 2, 2]), .sameKernels)
    #expect(throws: SettingError.self) { try ImageArray(bytes, labels: [1], classes: 1) }
    #expect(throws: SettingError.self) { try ImageArray(bytes, labels: [], classes: 1) }
    #expect(throws: SettingError.self) {
      try ImageArray(Tensor.zeros([2, 2]), labels: [0, 0], classes: 1)
    }
    let model = try SampleImages.model(nil)
    let source = ShuffledImages(set, flips: false, seed: 1)
    #expect(throws: SettingError.self) {
      try DiffusionTask(model, images: source, settings: .init(batchSize: 1))
    }
    let many = try ImageArray(Tensor.zeros([1, 1, 8, 8]), labels: [0], classes: 5)
    #expect(throws: SettingError.self) {
      try DiffusionTask(
        model, images: ShuffledImages(many, flips: false, seed: 1), settings: .init(batchSize: 1))
    }
  }
}
