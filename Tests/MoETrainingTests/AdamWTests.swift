import Foundation
import MoECore
import MoETensor
import MoETestSupport
import MoETraining
import Testing

@Suite("AdamW")
struct AdamWTests {
  /// The formula of the documentation, one number at a time.
  private struct Reference {
    var (first, second) = (0.0, 0.0)

    mutating func update(_ w: Double, _ g: Double, rate: Double, decay: Double, step: Int) -> Double
    {
      first = 0.9 * first + 0.1 * g
      second = 0.999 * second + 0.001 * g * g
      let m = first / (1 - pow(0.9, Double(step)))
      let v = second / (1 - pow(0.999, Double(step)))
      return w - rate * decay * w - rate * m / (v.squareRoot() + 1e-8)
    }
  }

  @Test("is the published formula", arguments: [true, false])
  func formula(decays: Bool) throws {
    let weight = Parameter(Tensor([1.5] as [Double], shape: [1, 1]))
    let optimizer = AdamW(
      [NamedParameter("w", weight)], settings: try AdamWSettings(weightDecay: 0.3),
      decays: { _ in decays })
    var (reference, expected) = (Reference(), 1.5)
    for step in 1...20 {
      let gradient = sin(Double(step))
      optimizer.update(gradients: [Tensor([gradient], shape: [1, 1])], learningRate: 0.1)
      expected = reference.update(
        expected, gradient, rate: 0.1, decay: decays ? 0.3 : 0, step: step)
      #expect(abs(weight.value.item(as: Double.self) - expected) < 1e-12)
    }
  }

  @Test("accepts gradients and weights in any layout")
  func layouts() throws {
    // Each loss has gradients whose elements are not row-major in memory.
    let x = RandomSource(seed: 1).normal([3, 2, 5])
    let losses: [(Tensor) -> Tensor] = [
      { x.matmul($0.transposed()).sin().sum() },  // transposed strides
      { $0.sum() },  // one element for all
      { ($0.transposed() * Tensor.range(0..<5).cast(to: .f32).expandingAxis(1)).sum() },
    ]
    for loss in losses {
      let start = RandomSource(seed: 2).normal([3, 4, 5])
      let (straight, turned) = (
        Parameter(start), Parameter(start.transposed().contiguous().transposed())
      )
      for (weight, copies) in [(straight, false), (turned, true)] {
        let optimizer = AdamW([NamedParameter("w", weight)], settings: try AdamWSettings())
        for _ in 0..<3 {
          let gradient = try valueAndGradients(of: { loss(weight.value) }, for: [weight]).gradients[
            0]
          // The same values, once in their layout and once row-major.
          optimizer.update(gradients: [copies ? gradient.copied() : gradient], learningRate: 0.1)
        }
      }
      expectClose(straight.value, turned.value, .exact)
      #expect(straight.value.array(of: Float.self) != start.array(of: Float.self))
    }
  }

  @Test("ends the program for gradients of another shape")
  func wrongShape() async {
    await #expect(processExitsWith: .failure) {
      let optimizer = AdamW(
        [NamedParameter("w", Parameter(Tensor.ones([4096])))], settings: try AdamWSettings())
      optimizer.update(gradients: [Tensor.ones([2])], learningRate: 0.1)
    }
  }

  @Test("ends the program for a weight that occurs twice")
  func duplicates() async {
    await #expect(processExitsWith: .failure) {
      let weight = Parameter(Tensor.ones([2]))
      _ = AdamW([.init("a", weight), .init("b", weight)], settings: try AdamWSettings())
    }
  }

  @Test("resumes from its saved state to the last bit", arguments: [DType.f32, .bf16])
  func resumes(dtype: DType) throws {
    func make() throws -> (Parameter, AdamW) {
      let weight = Parameter(RandomSource(seed: 1).normal([4, 3]).cast(to: dtype))
      return (weight, AdamW([NamedParameter("w", weight)], settings: try AdamWSettings()))
    }
    let gradients = (0..<10).map { RandomSource(seed: UInt64($0)).normal([4, 3], dtype: dtype) }
    let (straight, optimizer) = try make()
    for gradient in gradients { optimizer.update(gradients: [gradient], learningRate: 0.1) }

    let (first, before) = try make()
    for gradient in gradients[..<4] { before.update(gradients: [gradient], learningRate: 0.1) }
    let folder = try TemporaryFolder()
    try SafetensorsFile.write(before.state, to: folder.file("state"))
    let (second, after) = try make()
    second.assign(first.value)
    let file = try SafetensorsFile(folder.file("state"))
    let names = file.header.entries.map(\.name)
    try after.restore(
      Dictionary(uniqueKeysWithValues: try names.map { ($0, try file.tensor(named: $0)) }),
      step: before.step)
    for gradient in gradients[4...] { after.update(gradients: [gradient], learningRate: 0.1) }
    expectClose(second.value, straight.value, .exact)
    #expect(after.step == 10)
  }

  @Test("rejects a state of another model and stays unchanged")
  func refusesState() throws {
    let optimizer = AdamW(
      [NamedParameter("w", Parameter(Tensor.ones([2])))], settings: try AdamWSettings())
    let good = optimizer.state
    var missing = good
    missing["w.first"] = nil
    var extra = good
    extra["v.first"] = Tensor.ones([2])
    var shape = good
    shape["w.second"] = Tensor.ones([3])
    var dtype = good
    dtype["w.second"] = Tensor.ones([2], dtype: .f64)
    for state in [missing, extra, shape, dtype] {
      #expect(throws: TrainingError.self) { try optimizer.restore(state, step: 3) }
    }
    #expect(throws: TrainingError.self) { try optimizer.restore(good, step: -1) }
    #expect(optimizer.step == 0)
  }

  @Test("refuses settings out of range")
  func refusesSettings() throws {
    #expect(throws: SettingError.self) { try AdamWSettings(beta1: 1) }
    #expect(throws: SettingError.self) { try AdamWSettings(beta2: -0.1) }
    #expect(throws: SettingError.self) { try AdamWSettings(epsilon: 0) }
    #expect(throws: SettingError.self) { try AdamWSettings(weightDecay: .nan) }
    #expect(throws: SettingError.self) {
      try JSONDecoder().decode(AdamWSettings.self, from: Data(#"{"beta1": 2}"#.utf8))
    }
    let decoded = try JSONDecoder().decode(AdamWSettings.self, from: Data(#"{"beta2": 0.95}"#.utf8))
    #expect(try decoded == AdamWSettings(beta2: 0.95))
  }
}

@Suite("Gradient clipping")
struct GradientClippingTests {
  @Test("scales a norm that is too large down to the limit, and leaves others alone")
  func scales() {
    let gradients = [Tensor([3, 0] as [Float]), Tensor([4] as [Float])]
    let limited = clipped(gradients, maximumNorm: 1)
    #expect(limited.norm == 5)
    expectClose(limited.gradients[0], Tensor([0.6, 0] as [Float]), .sameKernels)
    expectClose(limited.gradients[1], Tensor([0.8] as [Float]), .sameKernels)
    let untouched = clipped(gradients, maximumNorm: 6)
    #expect(untouched.norm == 5)
    expectClose(untouched.gradients[0], gradients[0], .exact)
    #expect(clipped(gradients, maximumNorm: .infinity).norm == 5)
    #expect(clipped([], maximumNorm: 1).norm == 0)
  }

  @Test("computes norms of bf16 gradients in f32")
  func narrow() {
    let limited = clipped([Tensor.full(60_000, [4], dtype: .f16)], maximumNorm: 1)
    #expect(limited.norm == 120_000)
    expectClose(limited.gradients[0].cast(to: .f32), Tensor.full(0.5, [4]), .bf16)
  }

  @Test("reports a norm that is NaN")
  func nonFinite() {
    #expect(clipped([Tensor([.nan, 1] as [Float])], maximumNorm: 1).norm.isNaN)
    #expect(clipped([Tensor([.infinity] as [Float])], maximumNorm: .infinity).norm == .infinity)
  }
}
