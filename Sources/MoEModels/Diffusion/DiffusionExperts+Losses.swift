import MoECore
import MoERouting
public import MoETensor

/// What a layer's routing adds to the loss, before coefficients.
extension DiffusionExperts.Output {
  /// The routing contrastive loss, or `nil` for rules without prototypes.
  ///
  /// Tokens are compared over the whole batch where they chose, and image by image where experts chose.
  ///
  /// - Parameter temperature: τ; 0.07 in the paper.
  /// - Returns: Shape `[]`.
  public func contrastiveLoss(temperature: Double) -> Tensor? {
    guard case .prototypes(let prototypes) = evidence else { return nil }
    switch conditional.choice {
    case .byToken(let experts, let k):
      var assigned = [[Int]](repeating: [], count: conditional.expertCount)
      for (choice, expert) in experts.enumerated() { assigned[expert].append(choice / k) }
      return RoutingLosses.contrastive(
        tokens: tokens, prototypes: prototypes, assigned: assigned, temperature: temperature)
    case .byExpert(let chosen):
      let (images, experts) = (split.conditionalSamples.count, conditional.expertCount)
      guard images > 0 else { return Tensor(0 as Float).moved(to: tokens.device) }
      // Each expert took as many tokens of every image, in the order of the images.
      let taken = chosen[0].count / images
      let rows = (0..<images).flatMap { image in
        chosen.flatMap { $0[image * taken..<(image + 1) * taken] }
      }
      let means = tokens.selecting(Tensor(rows).moved(to: tokens.device)).cast(to: .f32)
        .reshaped([images, experts, taken, tokens.size(1)]).mean(axis: 2)
      return RoutingLosses.contrastive(
        means: means, prototypes: prototypes, temperature: temperature)
    }
  }

  /// The load-balancing loss over the tokens that the router assigned: 1 for perfect balance.
  public var balanceLoss: Tensor {
    RoutingLosses.loadBalance(
      probabilities: conditional.probabilities, load: conditional.load, denominator: .assignments)
  }

  /// How well capacities were predicted, or `nil` for rules without a predictor.
  public var capacityLoss: Tensor? {
    guard case .capacity(let predictions) = evidence else { return nil }
    return CapacityPrediction.loss(predictions: predictions, routing: conditional)
  }

  /// How well images were assigned to the experts of their classes, or `nil` for rules without a classifier.
  public var classificationLoss: Tensor? {
    guard case .classifier(let logits, let targets) = evidence else { return nil }
    guard targets.contains(where: { $0 >= 0 }) else {
      return Tensor(0 as Float).moved(to: logits.device)
    }
    return logits.crossEntropy(targets: Tensor(targets).moved(to: logits.device))
  }
}

extension DiffusionExperts {
  /// Moves thresholds and centroids, which follow what a batch of training did; nothing for other rules.
  ///
  /// - Parameter output: What this layer gave for the batch.
  func learn(from output: Output) {
    switch (gate, output.evidence) {
    case (.capacity(_, let predictor), .capacity(let predictions)):
      predictor.thresholds.assign(
        CapacityPrediction.updated(
          predictor.thresholds.value, predictions: predictions,
          taken: output.conditional.load.tokens.first ?? 1,
          decay: Double(predictor.decay.value.array(of: Float.self)[0])))
    case (.centroids(let centroids), _):
      centroids.assign(
        KMeans.updated(
          centroids.value, tokens: output.tokens, routing: output.conditional))
    default: break
    }
  }
}
