import MoECore
import MoETensor
import MoETestSupport
import Testing

@Suite("Random sources")
struct RandomSourceTests {
  private func draw(_ source: RandomSource) -> [Tensor] {
    [
      source.uniform([5], low: -1, high: 1), source.normal([5], mean: 2, standardDeviation: 3),
      source.integers([5], in: -3..<4), source.permutation(7),
      source.bernoulli([9], probability: 0.5),
      source.categorical(
        Tensor([1, 2, 3] as [Float], shape: [1, 3]), count: 4, replacement: true),
    ]
  }

  @Test("repeat themselves from the same seed")
  func seeded() {
    let (one, other) = (draw(RandomSource(seed: 3)), draw(RandomSource(seed: 3)))
    for (a, b) in zip(one, other) { expectClose(a, b, .exact) }
    #expect(draw(RandomSource(seed: 4))[0].array(of: Float.self) != one[0].array(of: Float.self))
  }

  @Test("continue from a saved state")
  func state() throws {
    let source = RandomSource(seed: 3)
    _ = draw(source)
    let state = source.state
    let expected = draw(source)
    let other = RandomSource(seed: 99)
    try other.restore(state)
    for (a, b) in zip(draw(other), expected) { expectClose(a, b, .exact) }
  }

  @Test("reject invalid states", arguments: [0, 1, 100, 5056])
  func wrongState(bytes: Int) {
    #expect(throws: TensorError.self) {
      try RandomSource(seed: 1).restore(Tensor.full(255, [bytes], dtype: .u8))
    }
    #expect(throws: TensorError.self) { try RandomSource(seed: 1).restore(Tensor.zeros([5056])) }
  }

  @Test("draw from the named distributions")
  func distributions() {
    let source = RandomSource(seed: 11)
    let count = 100_000
    let uniform = source.uniform([count], low: -1, high: 3)
    #expect(
      uniform.min(axis: 0).item(as: Float.self) >= -1
        && uniform.max(axis: 0).item(as: Float.self) < 3)
    // Five standard errors around the exact value.
    #expect(abs(uniform.mean().item(as: Float.self) - 1) < 5 * 1.1547 / 316)
    let normal = source.normal([count], mean: 2, standardDeviation: 3)
    #expect(abs(normal.mean().item(as: Float.self) - 2) < 5 * 3 / 316)
    #expect(abs(normal.variance(axis: 0).item(as: Float.self) - 9) < 5 * 9 * 1.4143 / 316)
    let ones = source.bernoulli([count], probability: 0.3).mean().item(as: Float.self)
    #expect(abs(ones - 0.3) < 5 * 0.4583 / 316)
    let permutation = source.permutation(1000).sorted().values
    #expect(permutation.array(of: Int.self) == Array(0..<1000))
    let draws = source.categorical(
      Tensor([1, 0, 3] as [Float], shape: [1, 3]), count: count, replacement: true)
    let counts = draws[0].bincount(minimumLength: 3).array(of: Int.self)
    #expect(counts[1] == 0 && abs(Double(counts[2]) / Double(count) - 0.75) < 5 * 0.433 / 316)
  }
}
