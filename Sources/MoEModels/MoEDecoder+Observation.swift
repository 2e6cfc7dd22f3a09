import MoECore
import MoERouting
import MoETensor

extension MoEDecoder {
  /// Notifies an observer which experts the tokens of a pass chose.
  func report(
    _ sparse: [MoELayer.Output], of tokens: Tensor, lengths: [Int],
    to observer: any RoutingObserver
  ) {
    let ids = tokens.cast(to: .i64).array(of: Int.self)
    observer.beginPass(
      tokens: ids.map { Int32(truncatingIfNeeded: $0) },
      sequenceLengths: lengths)
    let places = layers.filter { if case .sparse = $0.network { true } else { false } }.map(\.place)
    for (place, output) in zip(places, sparse) {
      observer.observe(
        RoutingReport(output.routing, layer: place, withWeights: observer.wantsWeights))
    }
    observer.endPass()
  }
}

extension RoutingReport {
  /// The choices of a layer; if experts chose tokens, a token has as many slots as there are
  /// experts.
  init(_ routing: Routing, layer: Int, withWeights: Bool) {
    let weights = withWeights ? routing.weights.cast(to: .f32).array(of: Float.self) : nil
    switch routing.choice {
    case .byToken(let experts, let k):
      self.init(
        layer: layer, expertCount: routing.expertCount, k: k, experts: experts, weights: weights)
    case .byExpert(let chosen):
      let k = routing.expertCount
      var slots = [Int](repeating: -1, count: routing.tokenCount * k)
      var factors = [Float](repeating: 0, count: slots.count)
      var used = [Int](repeating: 0, count: routing.tokenCount)
      var place = 0
      for (expert, tokens) in chosen.enumerated() {
        for token in tokens {
          slots[token * k + used[token]] = expert
          if let weights { factors[token * k + used[token]] = weights[place] }
          used[token] += 1
          place += 1
        }
      }
      self.init(
        layer: layer, expertCount: routing.expertCount, k: k, experts: slots,
        weights: weights == nil ? nil : factors)
    }
  }
}
