import MoECore
import MoETensor
import MoETestSupport
import Testing

@Suite("Attention in company")
struct AttentionCompanyTests {
  private static let positions = 200

  /// Attention to all positions so far, read in parts of `chunk` positions.
  private func answers(_ inputs: [Tensor], window: Int?, chunk: Int) -> Tensor {
    let parts = stride(from: 0, to: Self.positions, by: chunk).map { start in
      let end = min(start + chunk, Self.positions)
      return Tensor.attention(
        query: inputs[0].slice(axis: 2, start..<end), key: inputs[1].slice(axis: 2, 0..<end),
        value: inputs[2].slice(axis: 2, 0..<end), mask: .latest(window: window))
    }
    return Tensor.concatenated(parts, axis: 2).cast(to: .f32)
  }

  @Test(
    "gives a position the same bits in parts of any size", arguments: [DType.f32, .bf16],
    [nil, 1, 5, 63, 70, 130] as [Int?])
  func chunks(dtype: DType, window: Int?) {
    let source = RandomSource(seed: 7)
    let inputs = [4, 2, 2].map { heads in
      source.normal([1, heads, Self.positions, 10]).cast(to: dtype)
    }
    let whole = answers(inputs, window: window, chunk: Self.positions)
    for chunk in [1, 17, 64, 130] {
      let found = answers(inputs, window: window, chunk: chunk)
      #expect(
        found.array(of: Float.self) == whole.array(of: Float.self), "parts of \(chunk)")
    }
  }

  @Test("gives a sequence the same bits in a batch of any size", arguments: [DType.f32, .bf16])
  func batches(dtype: DType) {
    let source = RandomSource(seed: 8)
    let inputs = [4, 2, 2].map { heads in
      source.normal([17, heads, 70, 10]).cast(to: dtype)
    }
    func answers(_ count: Int) -> Tensor {
      let some = inputs.map { $0[0..<count] }
      return Tensor.attention(
        query: some[0], key: some[1], value: some[2], mask: .latest(window: 66))
    }
    let alone = answers(1).cast(to: .f32).array(of: Float.self)
    for count in [2, 3, 8, 17] {
      #expect(answers(count)[0..<1].cast(to: .f32).array(of: Float.self) == alone, "\(count)")
    }
  }
}
