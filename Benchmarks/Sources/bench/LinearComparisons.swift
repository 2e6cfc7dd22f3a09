import MoECore
import MoETensor

/// Linear layers of several sizes: what `LinearWay` chooses, compared with PyTorch.
enum LinearComparisons {
  static func all() -> [Comparison] {
    [DType.f32, .bf16].flatMap { dtype in
      [(256, 1024), (1024, 4096)].flatMap { inputs, outputs in
        [1, 16, 128, 192, 512].map { rows in comparison(rows, inputs, outputs, dtype) }
      }
    } + [packed(1), packed(4)]
  }

  /// Matrices that are more than caches hold, so that each is read from memory.
  private static let packedMatrices = 64

  /// Products with packed weights of 4 bits in groups of 64; the peer's function has bf16 rows and scales.
  private static func packed(_ rows: Int) -> Comparison {
    Comparison(
      title: "packed product, \(rows) rows of 2048 to 2048, 4 bits",
      peerName: "packed \(rows) 2048 2048 64 \(packedMatrices)", iterations: 30,
      run: { iterations in
        let source = RandomSource(seed: 1)
        let x = source.normal([rows, 2048])
        guard let format = PackedFormat(.affine, bits: 4, group: 64) else {
          preconditionFailure("no such format")
        }
        let weights = try (0..<packedMatrices).map { _ in
          try PackedWeight.rounded(source.normal([2048, 2048]), to: format, scales: .bf16)
        }
        return timed(iterations: iterations) {
          withoutGradients {
            for weight in weights { _ = weight.product(x, bias: nil, as: .decode) }
          }
        }
      }, bar: nil)
  }

  private static func comparison(
    _ rows: Int, _ inputs: Int, _ outputs: Int, _ dtype: DType
  ) -> Comparison {
    Comparison(
      title: "linear layer, \(rows) rows of \(inputs) to \(outputs), \(dtype)",
      peerName: "linear \(rows) \(inputs) \(outputs) \(dtype)", iterations: 30,
      run: { iterations in
        let source = RandomSource(seed: 1)
        let x = source.normal([rows, inputs]).cast(to: dtype)
        let weight = (source.normal([outputs, inputs]) * 0.02).cast(to: dtype)
        return timed(iterations: iterations) { withoutGradients { _ = x.linear(weight) } }
      }, bar: nil)
  }
}
