import MoECore
import MoETensor
import MoETestSupport
import Testing

@Suite("Products of a matrix and one row")
struct MatrixVectorTests {
  private let source = RandomSource(seed: 1)

  @Test(
    "are the sums of their definition", arguments: [DType.f32, .bf16],
    [1, 2, 15, 16, 17, 63, 64, 65, 130, 257])
  func reference(dtype: DType, columns: Int) {
    let row = source.normal([1, columns]).cast(to: dtype)
    let weight = source.normal([5, columns]).cast(to: dtype)
    let found = withoutGradients { row.linear(weight) }
    let (x, w) = (
      row.cast(to: .f64).array(of: Double.self), weight.cast(to: .f64).array(of: Double.self)
    )
    let sums = (0..<5).map { r in (0..<columns).reduce(0.0) { $0 + w[r * columns + $1] * x[$1] } }
    let expected = Tensor(sums, shape: [1, 5]).cast(to: dtype)
    // Sums of opposite signs may nearly cancel; the error is relative to their terms.
    let tolerance =
      dtype == .f32
      ? Tolerance(relative: 1e-5, absolute: 1e-6 * Double(columns)) : Tolerance.bf16
    expectClose(found, expected, tolerance)
  }

  @Test("keep the row's axes and add the bias")
  func shapes() {
    let (row, weight) = (source.normal([1, 1, 8]), source.normal([3, 8]))
    let bias = source.normal([3])
    let both = source.normal([2, 8])
    let found = withoutGradients { row.linear(weight, bias: bias) }
    // Two rows use libtorch.
    let plain = Tensor.concatenated([row[0], both], axis: 0).linear(weight, bias: bias)[0..<1]
    #expect(found.shape == [1, 1, 3])
    expectClose(found[0], plain, .sameKernels)
  }

  @Test("propagate infinities and NaN")
  func special() {
    let weight = Tensor([1, .infinity, .nan, 2] as [Float], shape: [4, 1])
    for dtype in [DType.f32, .bf16] {
      let found = withoutGradients {
        Tensor([1] as [Float], shape: [1, 1]).cast(to: dtype).linear(weight.cast(to: dtype))
      }
      expectClose(
        found.cast(to: .f32), Tensor([1, .infinity, .nan, 2] as [Float], shape: [1, 4]), .exact)
    }
  }

  @Test("leave gradients, and weights in other layouts, to the engine")
  func elsewhere() throws {
    let (row, weight) = (source.normal([1, 8]), source.normal([8, 3]))
    let turned = row.linear(weight.transposed())
    expectClose(turned, row.matmul(weight), .sameKernels)
    let gradient = try valueAndGradients(of: { row.linear(weight.transposed()).sum() }, for: [row])
    expectClose(gradient.gradients[0], weight.sum(axis: 1).reshaped([1, 8]), .sameKernels)
  }
}
