import MoECore
import MoETensor
import MoETestSupport
import Testing

@Suite("Products of a weight and few rows")
struct FewRowsTests {
  private let source = RandomSource(seed: 1)

  @Test(
    "are the sums of their definition",
    arguments: [2, 3, 15, 16, 17, 47, 48, 49, 50, 97, 191, 192, 193],
    [(129, 256), (521, 67), (130, 384), (2048, 17)])
  func reference(rows: Int, size: (inputs: Int, outputs: Int)) {
    let (inputs, outputs) = size
    let x = source.normal([rows, inputs])
    let weight = source.normal([outputs, inputs])
    let bias = source.normal([outputs])
    let exact = x.cast(to: .f64).matmul(weight.cast(to: .f64).transposed())
    // Sums of opposite signs may nearly cancel; the error is relative to their terms.
    let tolerance = Tolerance(relative: 1e-5, absolute: 1e-6 * Double(inputs))
    withoutGradients {
      expectClose(x.linear(weight).cast(to: .f64), exact, tolerance)
      expectClose(
        x.linear(weight, bias: bias).cast(to: .f64), exact + bias.cast(to: .f64), tolerance)
    }
  }

  @Test("do not depend on the other rows")
  func independence() {
    let (x, weight) = (source.normal([100, 128]), source.normal([256, 128]))
    withoutGradients {
      let whole = x.linear(weight)
      for part in [0..<16, 20..<70, 97..<100] {
        expectClose(x[part].linear(weight), whole[part], .exact)
      }
    }
  }

  @Test("keep the rows' axes, take strided rows, and propagate infinities and NaN")
  func shapes() {
    let (x, weight) = (source.normal([3, 4, 96]), source.normal([80, 96]))
    let bias = source.normal([80])
    withoutGradients {
      let found = x.linear(weight, bias: bias)
      #expect(found.shape == [3, 4, 80])
      let apart = x.transposed(0, 1).contiguous().transposed(0, 1)
      expectClose(apart.linear(weight, bias: bias), found, .exact)
      let values: [Float] = [.infinity, .nan, 1]
      for value in values {
        let ones = Tensor.ones([3, 96])
        let changed = Tensor.full(Double(value), [4, 96])
        let sums = Tensor.concatenated([changed, ones], axis: 0).linear(Tensor.ones([80, 96]))
        let expected = Tensor([value * 96] as [Float], shape: [1, 1])
        expectClose(sums[0..<1].split(sizes: [1, 79], axis: 1)[0], expected, .exact)
        expectClose(sums[4..<5], Tensor.ones([1, 80]) * 96, .exact)
      }
    }
  }

  @Test("leave gradients, and weights in other layouts, to the engine")
  func elsewhere() throws {
    let (x, weight) = (source.normal([20, 96]), source.normal([96, 80]))
    let turned = withoutGradients { x.linear(weight.transposed()) }
    expectClose(turned, x.matmul(weight), .sums)
    let gradient = try valueAndGradients(of: { x.linear(weight.transposed()).sum() }, for: [x])
    let sums = weight.sum(axis: 1).reshaped([1, 96])
    expectClose(gradient.gradients[0][7..<8], sums, .sums)
  }
}
