import MoECore
import MoETestSupport
import Testing

@testable import MoETensor

@Suite("Linear layers")
struct LinearTests {
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

  @Test(
    "in bf16 are the rounded sums of their definition",
    arguments: [1, 2, 3, 15, 16, 17, 47, 49, 97, 193, 300],
    [(128, 256), (520, 67), (67, 64), (2, 1), (1024, 17)])
  func referenceInBF16(rows: Int, size: (inputs: Int, outputs: Int)) throws {
    let (inputs, outputs) = size
    let operands = [[rows, inputs], [outputs, inputs], [outputs]].map {
      source.normal($0).cast(to: .bf16)
    }
    let seed = source.normal([rows, outputs]).cast(to: .bf16)
    for hasBias in [false, true] {
      func layer(_ x: [Tensor]) -> Tensor { x[0].linear(x[1], bias: hasBias ? x[2] : nil) }
      func gradients(_ dtype: DType) throws -> [Tensor] {
        let operands = operands.map { $0.cast(to: dtype) }
        return try valueAndGradients(
          of: { (layer(operands) * seed.cast(to: dtype)).sum() }, for: operands
        ).gradients
      }
      let found = withoutGradients { layer(operands) }
      #expect(found.dtype == .bf16)
      let exact = withoutGradients { layer(operands.map { $0.cast(to: .f64) }) }
      expectClose(found.cast(to: .f64), exact, Self.rounded(inputs), "bias: \(hasBias)")
      let terms = [outputs, rows, rows]
      for (index, pair) in zip(try gradients(.bf16), try gradients(.f64)).enumerated() {
        expectClose(
          pair.0.cast(to: .f64), pair.1, Self.rounded(terms[index]),
          "gradient of \(["x", "weight", "bias"][index]), bias: \(hasBias)")
      }
    }
  }

  /// Sums of `terms` products of normally distributed values in bf16; a product may be rounded
  /// before the bias is added to it.
  private static func rounded(_ terms: Int) -> Tolerance {
    Tolerance(relative: 1.0 / 128, absolute: Double(terms).squareRoot() / 64)
  }

  @Test("are computed in the way that the table names")
  func ways() {
    func expect(
      _ way: LinearWay, _ dtype: DType, isRecorded: Bool, rows: Int, _ size: (Int, Int),
      _ kernels: KernelTable
    ) {
      let found = LinearWay.best(
        dtype, isRecorded: isRecorded, rows: rows, inputs: size.0, outputs: size.1,
        kernels: kernels)
      #expect(
        found == way, "\(dtype), recorded: \(isRecorded), \(rows) rows, \(size.0)×\(size.1)")
    }
    for kernels in KernelVersion.all.map(\.table) {
      for (dtype, size) in [(DType.f32, (8, 8)), (.f32, (4096, 4096)), (.bf16, (256, 64))] {
        expect(.dots, dtype, isRecorded: false, rows: 1, size, kernels)
      }
      expect(.general, .f32, isRecorded: true, rows: 1, (256, 256), kernels)
      expect(.oneDNN, .f32, isRecorded: true, rows: 1, (2048, 1024), kernels)
      // 2¹⁶ multiplications.
      expect(.general, .f32, isRecorded: false, rows: 2, (128, 255), kernels)
      expect(.packedRows, .f32, isRecorded: false, rows: 2, (128, 256), kernels)
      expect(.packedRows, .f32, isRecorded: false, rows: 192, (1024, 1024), kernels)
      expect(.general, .f32, isRecorded: false, rows: 193, (64, 64), kernels)
      expect(.oneDNN, .f32, isRecorded: false, rows: 193, (1024, 1024), kernels)
      // 2²¹ multiplications.
      expect(.oneDNN, .f32, isRecorded: true, rows: 32, (256, 256), kernels)
      expect(.general, .f32, isRecorded: true, rows: 31, (256, 256), kernels)
      for rows in [2, 64, 5000] {
        let plain: LinearWay = kernels.multipliesBF16 ? .general : .packedRows
        let recorded: LinearWay = kernels.multipliesBF16 ? .general : .oneDNN
        expect(plain, .bf16, isRecorded: false, rows: rows, (64, 64), kernels)
        expect(recorded, .bf16, isRecorded: true, rows: rows, (64, 64), kernels)
        expect(recorded, .bf16, isRecorded: true, rows: 1, (64, 64), kernels)
      }
      for dtype in [DType.f64, .f16] {
        for rows in [1, 64] {
          expect(.general, dtype, isRecorded: false, rows: rows, (1024, 1024), kernels)
          expect(.general, dtype, isRecorded: true, rows: rows, (1024, 1024), kernels)
        }
      }
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
