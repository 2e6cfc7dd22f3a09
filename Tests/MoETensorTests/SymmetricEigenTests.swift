import MoECore
import MoETensor
import MoETestSupport
import Testing

@Suite("Eigenvalues and normalized channels")
struct SymmetricEigenTests {
  @Test("of a matrix worked by hand")
  func literal() {
    // Of [[2, 1], [1, 2]] along (1, −1) and (1, 1); elements above the diagonal are not read.
    let eigen = Tensor([2, 9, 1, 2] as [Double], shape: [2, 2]).symmetricEigen()
    expectClose(eigen.values, Tensor([1, 3] as [Double]), .sums)
    let squares = eigen.vectors * eigen.vectors
    expectClose(squares, Tensor.full(0.5, [2, 2], dtype: .f64), .sums)
  }

  @Test("reconstruct the matrix", arguments: [0, 1, 5, 24])
  func laws(size: Int) {
    let a = RandomSource(seed: 3).normal([2, size, size], dtype: .f64)
    let matrix = a + a.transposed()
    let eigen = matrix.symmetricEigen()
    let scaled = eigen.vectors * eigen.values.expandingAxis(1)
    expectClose(scaled.matmul(eigen.vectors.transposed()), matrix, .sums)
    let unit = Tensor.identity(size, dtype: .f64).expanded([2, size, size])
    expectClose(eigen.vectors.transposed().matmul(eigen.vectors), unit, .sums)
    expectClose(eigen.values.sorted(axis: 1).values, eigen.values, .exact)
  }

  @Test("channels are normalized by their statistics, or by given ones")
  func batchNorm() {
    let random = RandomSource(seed: 4)
    let x = random.normal([3, 2, 4, 5], dtype: .f64)
    let (weight, bias) = (random.normal([2], dtype: .f64), random.normal([2], dtype: .f64))
    func shaped(_ channels: Tensor) -> Tensor { channels.reshaped([1, 2, 1, 1]) }
    func plain(_ mean: Tensor, _ variance: Tensor) -> Tensor {
      (x - shaped(mean)) / (shaped(variance) + 1e-5).sqrt() * shaped(weight) + shaped(bias)
    }
    let rows = x.permuted([1, 0, 2, 3]).reshaped([2, -1])
    expectClose(
      x.batchNorm(weight: weight, bias: bias, epsilon: 1e-5),
      plain(rows.mean(axis: 1), rows.variance(axis: 1)), .sums)
    let (mean, variance) = (
      random.normal([2], dtype: .f64), random.uniform([2], low: 0.5, high: 2, dtype: .f64)
    )
    expectClose(
      x.batchNorm(
        weight: weight, bias: bias, statistics: (mean: mean, variance: variance), epsilon: 1e-5),
      plain(mean, variance), .sums)
  }
}
