import MoETracing
import MoECore
import MoETensor
import MoETestSupport
import Testing

@testable import MoETraining

@Suite("Moving averages")
struct ExponentialMovingAverageTests {
  @Test("follow the formula, in f32 for bf16 weights, too", arguments: [DType.f32, .bf16])
  func formula(dtype: DType) throws {
    let weight = Parameter(Tensor([1, 2] as [Float]).cast(to: dtype))
    let average = try ExponentialMovingAverage(
      [NamedParameter("w", weight)], decay: 0.75, warmsUp: false)
    weight.assign(Tensor([5, 6] as [Float]).cast(to: dtype))
    average.update(step: 0)
    average.update(step: 1)
    // 0.75² · 1 + (1 − 0.75²) · 5, and so on
    #expect(average.state["w"]?.array() == [2.75, 3.75] as [Float])
  }

  @Test("warm up: they keep (1 + step) / (10 + step), at most the decay")
  func warmUp() throws {
    let weight = Parameter(Tensor([10] as [Float]))
    let average = try ExponentialMovingAverage([NamedParameter("w", weight)], decay: 0.25)
    weight.assign(Tensor([20] as [Float]))
    // Keeps 1/10, 2/11, 3/12 = 1/4, then 1/4 instead of 4/13 and 101/110.
    let expected: [(step: Int, value: Double)] = [
      (0, 20 - 1), (1, 20 - 2 / 11.0), (2, 20 - 0.5 / 11), (3, 20 - 0.125 / 11),
      (100, 20 - 0.03125 / 11),
    ]
    for (step, value) in expected {
      average.update(step: step)
      let found = try #require(average.state["w"]).item(as: Float.self)
      #expect(abs(Double(found) - value) < 1e-5, "step \(step): \(found)")
    }
  }

  @Test("of short runs are said to lag behind, unless they warm up")
  func lag() throws {
    func settings(_ decay: Double?, _ warmsUp: Bool) throws -> LoopSettings {
      try LoopSettings(
        schedule: LearningRateSchedule(peak: 1, warmupSteps: 0, totalSteps: 9),
        optimizer: AdamWSettings(), average: decay, averageWarmsUp: warmsUp)
    }
    // 0.998^600 = 0.3008
    #expect(try settings(0.998, false).averageLag(steps: 600)?.contains("holds 30.1 %") == true)
    #expect(try settings(0.998, false).averageLag(steps: 2000) == nil)
    #expect(try settings(0.998, true).averageLag(steps: 20) == nil)
    #expect(try settings(1, false).averageLag(steps: 2000) != nil)
    #expect(try settings(nil, false).averageLag(steps: 1) == nil)
  }

  @Test("replace the weights temporarily")
  func standIn() throws {
    struct Refusal: Error {}
    let weight = Parameter(Tensor([1] as [Float]))
    let average = try ExponentialMovingAverage(
      [NamedParameter("w", weight)], decay: 0.5, warmsUp: false)
    weight.assign(Tensor([3] as [Float]))
    average.update(step: 0)
    #expect(average.withAverages { weight.value.item(as: Float.self) } == 2)
    #expect(throws: Refusal.self) { try average.withAverages { throw Refusal() } }
    #expect(weight.value.item() == 3 as Float)
  }

  @Test("that were read stay unchanged")
  func snapshot() throws {
    let weight = Parameter(Tensor([1] as [Float]))
    let average = try ExponentialMovingAverage(
      [NamedParameter("w", weight)], decay: 0.5, warmsUp: false)
    let read = average.withAverages { weight.value }
    weight.assign(Tensor([3] as [Float]))
    average.update(step: 0)
    #expect(read.item() == 1 as Float && average.state["w"]?.item() == 2 as Float)
  }

  @Test("reject invalid rates and states")
  func refuses() throws {
    let weights = [NamedParameter("w", Parameter(Tensor([1] as [Float])))]
    #expect(throws: SettingError.self) { try ExponentialMovingAverage(weights, decay: 1.1) }
    let average = try ExponentialMovingAverage(weights, decay: 0.5)
    #expect(throws: TrainingError.self) { try average.restore([:]) }
    #expect(throws: TrainingError.self) { try average.restore(["w": Tensor.ones([2])]) }
    try average.restore(["w": Tensor([7] as [Float])])
    #expect(average.state["w"]?.item() == 7 as Float)
  }
}
