import MoECore
import MoETensor
import MoETestSupport
import Testing

/// Each kernel compared with its definition in f64, which libtorch differentiates.
@Suite("Modulation kernels")
struct ModulationKernelTests {
  private let source = RandomSource(seed: 21)

  private static let sizes = [(1, 1, 1), (2, 3, 16), (3, 7, 33), (2, 64, 384), (1, 300, 40)]

  private func check(
    _ shapes: [[Int]], _ what: String, _ operation: @escaping ([Tensor]) -> Tensor
  ) throws {
    let inputs = shapes.map { source.normal($0) }
    let seed = source.normal(shapes[0])
    func result(_ dtype: DType) throws -> ValueAndGradients {
      let inputs = inputs.map { $0.cast(to: dtype) }
      return try valueAndGradients(
        of: { (operation(inputs) * seed.cast(to: dtype)).sum() }, for: inputs)
    }
    let wide = inputs.map { $0.cast(to: .f64) }
    expectClose(
      withoutGradients { operation(inputs) }.cast(to: .f64), operation(wide), .sums, what)
    let (found, expected) = (try result(.f32), try result(.f64))
    for (one, other) in zip(found.gradients, expected.gradients) {
      expectClose(one.cast(to: .f64), other, Tolerance(relative: 1e-4, absolute: 1e-4), what)
    }
  }

  @Test("normalize, scale and shift", arguments: sizes)
  func modulates(images: Int, tokens: Int, width: Int) throws {
    let row = [images, 1, width]
    // An epsilon of 1 keeps rows of a single element away from 0 / 0.
    try check([[images, tokens, width], row, row], "\(images)×\(tokens)×\(width)") {
      $0[0].normalized(shift: $0[1], scale: $0[2], epsilon: width == 1 ? 1 : 1e-6)
    }
  }

  @Test("add what a gate lets through", arguments: sizes)
  func addsGated(images: Int, tokens: Int, width: Int) throws {
    let all = [images, tokens, width]
    try check([all, all, [images, 1, width]], "\(images)×\(tokens)×\(width)") {
      $0[0].adding($0[1], gate: $0[2])
    }
  }

  @Test("read strided rows, and give gradients to a single input")
  func views() throws {
    let all = source.normal([2, 1, 3 * 32])
    let parts = all.split(count: 3, axis: 2)
    let x = source.normal([2, 32, 5]).transposed(1, 2)
    let found = x.normalized(shift: parts[0], scale: parts[1], epsilon: 1e-6)
      .adding(x * 2, gate: parts[2])
    let expected =
      x.layerNorm(epsilon: 1e-6) * (parts[1] + 1) + parts[0] + parts[2] * (x * 2)
    expectClose(found, expected, .sums)
    let gate = parts[2].contiguous()
    let gradients = try valueAndGradients(
      of: { x.adding(x * 2, gate: gate).sum() }, for: [gate]
    ).gradients
    expectClose(gradients[0], (x * 2).sum(axis: 1, keepAxes: true), .sums)
  }
}
