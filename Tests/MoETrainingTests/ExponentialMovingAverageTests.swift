import MoETracing
import MoECore
import MoETensor
import MoETestSupport
import MoETraining
import Testing

@Suite("Moving averages")
struct ExponentialMovingAverageTests {
  @Test("follow the formula, in f32 for bf16 weights, too", arguments: [DType.f32, .bf16])
  func formula(dtype: DType) throws {
    let weight = Parameter(Tensor([1, 2] as [Float]).cast(to: dtype))
    let average = try ExponentialMovingAverage([NamedParameter("w", weight)], decay: 0.75)
    weight.assign(Tensor([5, 6] as [Float]).cast(to: dtype))
    average.update()
    average.update()
    // 0.75² · 1 + (1 − 0.75²) · 5, and so on
    #expect(average.state["w"]?.array() == [2.75, 3.75] as [Float])
  }

  @Test("replace the weights temporarily")
  func standIn() throws {
    struct Refusal: Error {}
    let weight = Parameter(Tensor([1] as [Float]))
    let average = try ExponentialMovingAverage([NamedParameter("w", weight)], decay: 0.5)
    weight.assign(Tensor([3] as [Float]))
    average.update()
    #expect(average.withAverages { weight.value.item(as: Float.self) } == 2)
    #expect(throws: Refusal.self) { try average.withAverages { throw Refusal() } }
    #expect(weight.value.item() == 3 as Float)
  }

  @Test("that were read stay unchanged")
  func snapshot() throws {
    let weight = Parameter(Tensor([1] as [Float]))
    let average = try ExponentialMovingAverage([NamedParameter("w", weight)], decay: 0.5)
    let read = average.withAverages { weight.value }
    weight.assign(Tensor([3] as [Float]))
    average.update()
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
