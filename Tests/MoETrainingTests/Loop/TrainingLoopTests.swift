import MoEData
import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoETraining

@Suite("The training loop", .serialized)
struct TrainingLoopTests {
  private let running: RunningModel

  init() throws { running = try RunningModel() }

  private func losses(_ loop: TrainingLoop<LanguageTask>, steps: Int) throws -> [Double] {
    try (0..<steps).map { _ in try loop.advance().loss }
  }

  @Test("learns with every router", arguments: RunningModel.routers)
  func learns(router: String) throws {
    let loop = try running.loop(router: router)
    let found = try losses(loop, steps: 25)
    #expect(found[0] > 3.5 && found[24] < 2.8, "\(found[0]) to \(found[24])")
    let evaluation = try loop.evaluate().results
    #expect(evaluation.map(\.name) == ["loss", "perplexity"])
    #expect(abs(exp(evaluation[0].value) - evaluation[1].value) < 1e-9)
  }

  @Test("continues from a checkpoint bit for bit", arguments: RunningModel.routers)
  func resumes(router: String) throws {
    let isFirst = router == RunningModel.routers[0]
    for (dtype, average) in [(DType.f32, 0.9), (.bf16, nil)].prefix(isFirst ? 2 : 1) {
      let whole = try running.loop(router: router, dtype: dtype, average: average)
      _ = try losses(whole, steps: 4)
      let path = running.folder.file("checkpoint-\(UUID().uuidString)")
      try TrainingCheckpoint.write(whole.state, seed: 11, files: [], to: path)
      let expected = try losses(whole, steps: 4)
      let resumed = try running.loop(router: router, dtype: dtype, average: average)
      try resumed.restore(TrainingCheckpoint.read(path).state)
      #expect(try losses(resumed, steps: 4) == expected)
      #expect(try resumed.evaluate().results == whole.evaluate().results)
    }
  }

  @Test("a state keeps its tensors while training continues")
  func stateIsAValue() throws {
    let loop = try running.loop()
    _ = try loop.advance()
    let state = loop.state.handedOver()
    let before = state.value.model.map { $0.tensor.copied() }
    _ = try losses(loop, steps: 3)
    for (entry, copy) in zip(state.value.model, before) {
      expectClose(entry.tensor, copy, .exact, entry.name)
    }
    let now = loop.state.model
    let changed = zip(now, before).contains { pair in
      pair.0.tensor.array(of: Float.self) != pair.1.array(of: Float.self)
    }
    #expect(changed)
  }

  @Test("gradients of micro-batches add up to those of the batch")
  func accumulation() throws {
    let whole = try running.loop(batchSize: 8, z: 0)
    let parts = try running.loop(batchSize: 2, accumulation: 4, z: 0)
    // The balance loss is not a mean over tokens, so only the other part is compared.
    for _ in 0..<3 {
      let (one, four) = (try whole.advance(), try parts.advance())
      let (a, b) = (one.parts[0].value, four.parts[0].value)
      #expect(abs(a - b) < 2e-3 && one.units == four.units)
      #expect(one.routing[0].load.total == four.routing[0].load.total)
    }
  }

  @Test("recomputing layers changes nothing")
  func recomputation() throws {
    let plain = try losses(running.loop(), steps: 5)
    let recomputed = try losses(running.loop(recomputes: true), steps: 5)
    for (a, b) in zip(plain, recomputed) { #expect(abs(a - b) < 1e-5 * a) }
  }

  @Test("updating each weight immediately changes nothing", arguments: RunningModel.routers)
  func fusedUpdates(router: String) throws {
    // A limit that is exceeded at every step, one that never is, and none.
    for (limit, dtype) in [(0.1, DType.f32), (1e6, .bf16), (.infinity, .f32)] {
      let isRandom = router.contains("random") || router.contains("noisy")
      func steps(fused: Bool) throws -> (metrics: [StepMetrics], loop: TrainingLoop<LanguageTask>) {
        let loop = try running.loop(
          router: router, dtype: dtype, recomputes: !isRandom, average: 0.9,
          limit: limit, fusesUpdates: fused)
        return (try (0..<5).map { _ in try loop.advance() }, loop)
      }
      let (plain, fused) = (try steps(fused: false), try steps(fused: true))
      #expect(fused.metrics.map(\.loss) == plain.metrics.map(\.loss))
      #expect(fused.metrics.map(\.gradientNorm) == plain.metrics.map(\.gradientNorm))
      #expect(fused.metrics.map(\.routing) == plain.metrics.map(\.routing))
      let (state, expected) = (fused.loop.state, plain.loop.state)
      for (one, other) in zip(state.model + state.optimizer, expected.model + expected.optimizer) {
        expectClose(one.tensor, other.tensor, .exact, "\(one.name), limit \(limit)")
      }
    }
  }

  @Test(
    "a fused step that is not finite changes nothing if the norm is limited, and says so if not")
  func fusedNotFinite() throws {
    for limit in [1, Double.infinity] {
      let loop = try TrainingLoop(
        InfiniteSlope(),
        settings: LoopSettings(
          schedule: LearningRateSchedule(peak: 0.1, warmupSteps: 0, totalSteps: 9),
          optimizer: AdamWSettings(), clip: limit, fusesUpdates: true))
      #expect {
        _ = try loop.advance()
      } throws: { error in
        guard let step = error as? NonFiniteStep else { return false }
        return step.loss == 2 && step.hasChangedWeights == limit.isInfinite
          && step.tensors.map(\.gradientNorm.isFinite) == [true, false]
          && "\(step)".contains("first that of 'inner'")
          && "\(step)".contains("were updated before") == limit.isInfinite
      }
      let outer = loop.task.weights[0].parameter.value
      #expect((outer.item(as: Float.self) == 2) == limit.isFinite && loop.step == 0)
    }
  }

  @Test("fused updates cannot accumulate micro-batches")
  func fusedAccumulation() {
    #expect(throws: SettingError.self) {
      try running.loop(accumulation: 2, fusesUpdates: true)
    }
  }

  @Test("bf16 weights over f32 masters follow f32")
  func bf16() throws {
    let wide = try losses(running.loop(), steps: 15)
    let narrow = try losses(running.loop(dtype: .bf16), steps: 15)
    #expect(abs(wide[14] - narrow[14]) < 0.1 && narrow[14] < 3.4)
  }

  @Test("selection biases follow the load and get no gradient")
  func selectionBias() throws {
    let loop = try running.loop(router: RunningModel.routers[1])
    #expect(loop.task.buffers.count == 2)
    #expect(!loop.task.weights.contains { $0.name.hasSuffix("bias") })
    let load = try loop.advance().routing.map(\.load)
    for (bias, load) in zip(loop.task.buffers, load) {
      let mean = load.total / load.tokens.count
      let expected = load.tokens.map { $0 < mean ? Float(0.001) : $0 > mean ? -0.001 : 0 }
      #expect(bias.parameter.value.array(of: Float.self) == expected)
    }
  }

  @Test("a step that is not finite changes nothing and says where it went wrong")
  func notFinite() throws {
    let loop = try running.loop()
    _ = try losses(loop, steps: 2)
    let weight = loop.task.weights[4]
    let good = weight.parameter.value
    weight.parameter.assign(good * Double.infinity)
    let before = loop.task.weights[0].parameter.value.array(of: Float.self)
    #expect {
      _ = try loop.advance()
    } throws: { error in
      guard let step = error as? NonFiniteStep else { return false }
      return step.step == 3 && step.tensors.count == loop.task.weights.count
        && "\(step)".contains(weight.name) && step.table.contains("gradient_norm\n")
    }
    #expect(loop.task.weights[0].parameter.value.array(of: Float.self) == before && loop.step == 2)
  }

  @Test("an expert is dead after 100 steps without tokens, and only once")
  func deadExperts() throws {
    var idle = IdleExperts()
    let step = [LayerRouting(load: ExpertLoad(tokens: [3, 0, 5]), entropy: 1, droppedShare: 0)]
    for _ in 0..<99 { #expect(idle.take(step).isEmpty && idle.dead.isEmpty) }
    #expect(idle.take(step) == [.init(layer: 0, expert: 1)])
    #expect(idle.take(step).isEmpty && idle.dead.count == 1)
    let revived = [LayerRouting(load: ExpertLoad(tokens: [3, 1, 5]), entropy: 1, droppedShare: 0)]
    #expect(idle.take(revived).isEmpty && idle.dead.isEmpty)
  }

  @Test("tokens without experts count as dropped")
  func dropped() throws {
    let metrics = try running.loop(router: RunningModel.routers[2]).advance()
    #expect(metrics.routing.allSatisfy { 0..<1 ~= $0.droppedShare && $0.load.imbalance == 1 })
    #expect(metrics.routingSummary.map(\.name).first == "imbalance")
    let chosen = try running.loop().advance()
    #expect(chosen.routing.allSatisfy { $0.droppedShare == 0 })
  }
}

/// outer · (1 + √inner) at inner = 0, whose derivative by `inner` is infinite.
///
/// The derivative by `outer` comes first.
private final class InfiniteSlope: TrainingTask {
  let weights = [
    NamedParameter("outer", Parameter(Tensor([2] as [Float]))),
    NamedParameter("inner", Parameter(Tensor([0] as [Float]))),
  ]
  var position = DataPosition()

  func nextBatch() throws {}
  func loss(_ batch: Void, random: RandomSource) throws -> TaskLoss {
    let values = weights.map(\.parameter.value)
    return TaskLoss(parts: [.init("loss", (values[0] * (values[1].sqrt() + 1)).sum())], units: 1)
  }
  func modelFiles() throws -> [ModelFile] { [] }
}

/// Fixture: `Tests/Fixtures/make/training_run.py`, which names the same constants.
@Suite("A training run, compared with transformers and PyTorch")
struct TrainingRunParityTests {
  @Test("has the same losses, parts and norms for 100 steps in the same order of data")
  func losses() throws {
    let folder = Fixtures.path("training-run")
    let expected = try SafetensorsFile(folder.appending("expected.safetensors"))
    let model = try MoEDecoder.open(folder)
    let windows = try TokenWindows(
      TokenFile(folder.appending("tokens.safetensors")), context: 16)
    var settings = LanguageTask.Settings(batchSize: 4, balance: 0.02)
    settings.balanceScope = .model
    let task = LanguageTask(model, windows: windows, settings: settings, seed: 7)
    let loop = try TrainingLoop(
      task,
      settings: LoopSettings(
        schedule: LearningRateSchedule(
          peak: 3e-3, final: 3e-4, warmupSteps: 10, totalSteps: 100),
        optimizer: AdamWSettings(beta2: 0.95, weightDecay: 0.1), clip: 1))
    let steps = try (0..<100).map { _ in try loop.advance() }
    func compare(_ name: String, _ found: [Double]) throws {
      expectClose(
        Tensor(found.map(Float.init)), try expected.tensor(named: name), .trainingCurve, name)
    }
    try compare("loss", steps.map(\.loss))
    try compare("cross_entropy", steps.map { $0.parts[0].value })
    try compare("balance", steps.map { $0.parts[1].value })
    #expect(steps[99].loss < 0.7 * steps[0].loss)
    let norms = try expected.tensor(named: "norm").array(of: Float.self)
    #expect(abs(Double(norms[0]) - steps[0].gradientNorm) < 1e-4 * steps[0].gradientNorm)
  }
}
