import MoECore
import MoEModels
import MoETensor
import Testing

@Suite("Rotary angles in company")
struct RotaryCompanyTests {
  @Test("are the same however many positions were asked for before", arguments: [6, 10, 64])
  func history(width: Int) {
    let x = RandomSource(seed: 3).normal([1, 1, 2, width])
    func rotated(after earlier: [Range<Int>]) -> [Float] {
      let rotary = RotaryEmbedding(width: width, base: 10_000, scaling: .none)
      for range in earlier { _ = rotary.angles(range, on: .cpu) }
      return rotary.angles(299..<300, on: .cpu).rotate(x).array(of: Float.self)
    }
    let alone = rotated(after: [])
    for earlier in [[0..<1], [0..<257], [0..<299], [0..<301, 0..<1001]] {
      #expect(rotated(after: earlier) == alone, "\(earlier)")
    }
  }
}
