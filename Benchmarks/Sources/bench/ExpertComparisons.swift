import MoECore
import MoEModels
import MoERouting
import MoETensor

/// The experts of one layer on 512 tokens, compared with the ways of running them in PyTorch.
enum ExpertComparisons {
  /// The peer's ways: one product per expert, padded batches, grouped products.
  private static let ways = ["slices", "batched", "grouped"]

  static func all() throws -> [Comparison] {
    var comparisons: [Comparison] = []
    for (experts, k, inner) in [(8, 2, 512), (64, 8, 128)] {
      for dtype in [DType.f32, .bf16] {
        let run = try layer(experts: experts, k: k, inner: inner, dtype: dtype)
        for way in ways {
          comparisons.append(
            Comparison(
              title: "experts of a layer, \(experts) top-\(k), \(dtype), against \(way)",
              peerName: "experts \(way) \(experts) \(k) \(inner) \(dtype)", iterations: 20,
              run: run,
              bar: nil))
        }
      }
    }
    return comparisons
  }

  private static func layer(
    experts: Int, k: Int, inner: Int, dtype: DType
  ) throws -> (Int) throws -> Measurement {
    let (source, hidden, tokens) = (RandomSource(seed: 1), 256, 512)
    func linear(_ outputs: Int, _ inputs: Int) -> Linear {
      Linear(weight: Parameter((source.normal([outputs, inputs]) * 0.02).cast(to: dtype)))
    }
    let layer = MoELayer(
      gate: linear(experts, hidden),
      router: try TokenChoiceRouter(k: k, experts: experts, renormalizes: true),
      experts: ExpertBanks.standard.bank(
        of: (0..<experts).map { _ in
          FeedForward(
            gate: linear(inner, hidden), up: linear(inner, hidden), down: linear(hidden, inner),
            activation: .silu)
        }, outputs: hidden))
    let x = source.normal([tokens, hidden]).cast(to: dtype)
    let context = RoutingContext(sequenceLengths: [tokens])
    return { iterations in
      timed(iterations: iterations) { withoutGradients { _ = layer(x, in: context) } }
    }
  }
}
