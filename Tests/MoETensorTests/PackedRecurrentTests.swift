import MoECore
import MoETestSupport
import Testing

@testable import MoETensor

/// Sequences of different lengths, compared with libtorch's GRU on each of them alone.
@Suite("Recurrent units over packed sequences")
struct PackedRecurrentTests {
  private let source = RandomSource(seed: 3)

  private func weights(_ inputs: Int, _ hidden: Int, _ dtype: DType) -> [Tensor] {
    [[3 * hidden, inputs], [3 * hidden, hidden], [3 * hidden], [3 * hidden]].map {
      source.normal($0, standardDeviation: 0.4).cast(to: dtype)
    }
  }

  private static func units(_ w: [Tensor]) -> GRUWeights {
    GRUWeights(input: w[0], hidden: w[1], inputBias: w[2], hiddenBias: w[3])
  }

  /// libtorch's layer, one sequence after another.
  private static func reference(_ rows: Tensor, _ w: [Tensor], _ lengths: [Int]) -> Tensor {
    Tensor.concatenated(
      rows.split(sizes: lengths, axis: 0).map { $0.expandingAxis(0).gru(units(w)).last }, axis: 0)
  }

  private static let cases: [(lengths: [Int], inputs: Int, hidden: Int)] = [
    ([1], 3, 2), ([4, 1, 7], 5, 5), ([9, 9, 9], 8, 16), ((1...20).map { ($0 * 7) % 13 + 1 }, 6, 37),
    ((0..<100).map { ($0 * 11) % 17 + 1 }, 4, 20),
  ]

  @Test("end in the states of libtorch's layer", arguments: cases.indices)
  func states(number: Int) {
    let (lengths, inputs, hidden) = Self.cases[number]
    let w = weights(inputs, hidden, .f32)
    let rows = source.normal([lengths.reduce(0, +), inputs])
    let found = withoutGradients { rows.lastStates(Self.units(w), lengths: lengths) }
    expectClose(found, Self.reference(rows, w, lengths), .sums)
    let recurrence = Recurrence(lengths: lengths, hidden: hidden)
    let plain = recurrence.runPlainly(rows.linear(w[0], bias: w[2]), w[1], w[3])
    expectClose(found, plain, .sums)
  }

  @Test("have the gradients of libtorch's layer", arguments: cases.indices)
  func gradients(number: Int) throws {
    let (lengths, inputs, hidden) = Self.cases[number]
    let w = weights(inputs, hidden, .f32)
    let rows = source.normal([lengths.reduce(0, +), inputs])
    let factor = source.normal([lengths.count, hidden])
    let found = try valueAndGradients(
      of: { (rows.lastStates(Self.units(w), lengths: lengths) * factor).sum() }, for: [rows] + w)
    let wide = ([rows] + w).map { $0.cast(to: .f64) }
    let expected = try valueAndGradients(
      of: {
        (Self.reference(wide[0], Array(wide[1...]), lengths) * factor.cast(to: .f64)).sum()
      }, for: wide)
    for (gradient, wanted) in zip(found.gradients, expected.gradients) {
      let scale = Double(wanted.abs().reshaped([-1]).max(axis: 0).item(as: Double.self))
      expectClose(
        gradient.cast(to: .f64), wanted, Tolerance(relative: 1e-4, absolute: 1e-5 * (1 + scale)))
    }
  }

  @Test("have the gradients of finite differences where no kernel applies")
  func plainGradients() throws {
    let (lengths, w) = ([3, 1, 2], weights(2, 3, .f64))
    let rows = source.normal([6, 2], dtype: .f64)
    func loss(_ rows: Tensor) -> Tensor {
      (rows.lastStates(Self.units(w), lengths: lengths) * 2).tanh().sum()
    }
    let gradient = try valueAndGradients(of: { loss(rows) }, for: [rows]).gradients[0]
    let step = 1e-5
    for place in 0..<12 {
      var change = [Double](repeating: 0, count: 12)
      change[place] = step
      let difference = Tensor(change, shape: [6, 2])
      let slope =
        (loss(rows + difference).item(as: Double.self)
          - loss(rows - difference).item(as: Double.self)) / (2 * step)
      let found = gradient.array(of: Double.self)[place]
      #expect(Tolerance.finiteDifferences.allows(found, for: slope))
    }
  }

  @Test("stay finite for inputs of any size")
  func extremes() {
    let w = weights(4, 16, .f32).map { $0 * 1e4 }
    let rows = source.normal([30, 4], standardDeviation: 1e4)
    let found = withoutGradients { rows.lastStates(Self.units(w), lengths: [30]) }
    #expect(found.isFinite().all())
    #expect(found.abs().reshaped([-1]).max(axis: 0).item(as: Float.self) <= 1)
  }

  @Test("give nothing for no sequences")
  func empty() {
    let w = weights(4, 16, .f32)
    #expect(Tensor.zeros([0, 4]).lastStates(Self.units(w), lengths: []).shape == [0, 16])
  }
}
