import MoECore
import MoETensor

/// Linear layers of several sizes: what `LinearWay` chooses, compared with PyTorch.
enum LinearComparisons {
  static func all() -> [Comparison] {
    [DType.f32, .bf16].flatMap { dtype in
      [(256, 1024), (1024, 4096)].flatMap { inputs, outputs in
        [1, 16, 128, 192, 512].map { rows in comparison(rows, inputs, outputs, dtype) }
      }
    }
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
