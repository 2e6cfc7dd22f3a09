import MoETensor
import MoETraining

/// The cost of calling the engine: single operations and steps of small networks.
enum EngineComparisons {
  static var all: [Comparison] {
    [
      Comparison(
        title: "one addition of single numbers", peerName: "tiny_addition", iterations: 20,
        run: tinyAddition, bar: .ratio(1)),
      Comparison(
        title: "gradients of a 64×128×64 network, batch 32", peerName: "mlp_gradients",
        iterations: 50,
        run: { try mlp(iterations: $0, update: false) }, bar: nil),
      Comparison(
        title: "training step of the same with AdamW (fused, both)", peerName: "mlp_training",
        iterations: 50, run: { try mlp(iterations: $0, update: true) }, bar: .ratio(0.9)),
    ]
  }

  private static func tinyAddition(_ iterations: Int) -> Measurement {
    let x = Tensor.ones([1])
    return timed(iterations: iterations, inner: 10_000) { _ = x + x }
  }

  private static func mlp(iterations: Int, update: Bool) throws -> Measurement {
    let source = RandomSource(seed: 1)
    let weights = [
      Parameter(source.normal([128, 64], standardDeviation: 0.1)), Parameter(Tensor.zeros([128])),
      Parameter(source.normal([64, 128], standardDeviation: 0.1)), Parameter(Tensor.zeros([64])),
    ]
    let (inputs, targets) = (source.normal([32, 64]), source.normal([32, 64]))
    let named = weights.enumerated().map { NamedParameter("\($0.offset)", $0.element) }
    let optimizer = AdamW(named, settings: try AdamWSettings(), decays: { _ in true })
    return try timed(iterations: iterations, inner: 100) {
      let gradients = try valueAndGradients(
        of: {
          inputs.linear(weights[0].value, bias: weights[1].value).relu()
            .linear(weights[2].value, bias: weights[3].value).meanSquaredError(targets)
        }, for: weights
      ).gradients
      if update { optimizer.update(gradients: gradients, learningRate: 1e-3) }
    }
  }
}
