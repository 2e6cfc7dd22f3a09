import MoECore
import Testing

@Suite("Expert loads")
struct ExpertLoadTests {
  @Test("are described by their imbalance, variation and dead experts")
  func statistics() {
    let load = ExpertLoad(tokens: [4, 0, 2, 2])
    #expect(load.total == 8 && load.imbalance == 2 && load.deadExperts == [1])
    #expect(abs(load.coefficientOfVariation - 0.7071068) < 1e-6)
    #expect(ExpertLoad(tokens: [3, 3]).coefficientOfVariation == 0)
    let idle = ExpertLoad(tokens: [0, 0])
    #expect(idle.imbalance == 1 && idle.coefficientOfVariation == 0 && idle.deadExperts == [0, 1])
    #expect((load + load).tokens == [8, 0, 4, 4])
  }
}
