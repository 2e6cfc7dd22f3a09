import MoECore
public import MoETensor

/// DiffMoE's capacity predictor, for inference with experts that chose from a whole batch in
/// training.
///
/// A small network predicts which tokens an expert would take, and a threshold converts its
/// predictions into a number of tokens.
///
/// In training, each expert takes its capacity from the batch's tokens, as in
/// ``ExpertChoiceRouter`` with all tokens as one sequence. In inference, expert i takes the n_i
/// tokens with the highest scores for it, where
///
///     n_i = number of tokens with sigmoid(prediction) > threshold_i
///     threshold_i ← decay · threshold_i + (1 − decay) · smallest of the `taken` largest sigmoid(prediction)
///
/// So the predictor determines the number of tokens, and the gate which tokens.
///
/// - SeeAlso: *DiffMoE: Dynamic Token Selection for Scalable Diffusion Transformers*,
///   [arXiv:2503.14487](https://arxiv.org/abs/2503.14487).
public enum CapacityPrediction {
  /// The binary cross-entropy between predictions and the experts' choices.
  ///
  /// - Parameters:
  ///   - predictions: Before the sigmoid, shape `[tokens, experts]`.
  ///   - routing: The experts' choices.
  /// - Returns: The mean over tokens and experts, shape `[]`.
  public static func loss(predictions: Tensor, routing: Routing) -> Tensor {
    let experts = routing.expertCount
    var taken = [Float](repeating: 0, count: routing.tokenCount * experts)
    for pair in routing.assignments { taken[pair[0] * experts + pair[1]] = 1 }
    let targets = Tensor(taken, shape: [routing.tokenCount, experts]).moved(to: predictions.device)
    let z = predictions.cast(to: .f32)
    // −y · log σ(z) − (1 − y) · log (1 − σ(z)) = softplus(z) − y · z
    return (z.softplus() - targets * z).mean()
  }

  /// The thresholds after a training batch.
  ///
  /// - Parameters:
  ///   - thresholds: f32, shape `[experts]`.
  ///   - predictions: Before the sigmoid, shape `[tokens, experts]`.
  ///   - taken: The number of tokens that each expert took from the batch, at least 1.
  ///   - decay: From 0 to 1; 0.95 in the paper's code.
  /// - Returns: Shape `[experts]`.
  public static func updated(
    _ thresholds: Tensor, predictions: Tensor, taken: Int, decay: Double
  ) -> Tensor {
    withoutGradients {
      let scores = predictions.detached().cast(to: .f32).sigmoid()
      let smallest = scores.sorted(axis: 0, descending: true).values[taken - 1]  // [experts]
      return thresholds * decay + smallest * (1 - decay)
    }
  }

  /// The assignment in inference.
  ///
  /// - Parameters:
  ///   - logits: The gate's scores, shape `[tokens, experts]`.
  ///   - predictions: Before the sigmoid, shape `[tokens, experts]`.
  ///   - thresholds: Shape `[experts]`.
  /// - Returns: Each expert's tokens, weighted by the softmax of the gate; ties go to the earlier
  ///   token.
  public static func route(
    _ logits: Tensor, predictions: Tensor, thresholds: Tensor
  ) -> Routing {
    let (tokens, experts) = (logits.size(0), logits.size(1))
    let scores = logits.softmax(axis: 1, dtype: .f32)  // [tokens, experts]
    let chosen = withoutGradients {
      let counts = (predictions.cast(to: .f32).sigmoid() .> thresholds).cast(to: .i64).sum(axis: 0)
        .array(of: Int.self)
      let order = scores.transposed().contiguous().argsort(axis: 1, descending: true)
        .array(of: Int.self)  // [experts, tokens]
      return counts.enumerated().map { expert, count in
        order[expert * tokens..<expert * tokens + count].sorted()
      }
    }
    let places = chosen.enumerated().flatMap { expert, row in row.map { $0 * experts + expert } }
    return Routing(
      tokenCount: tokens, expertCount: experts, choice: .byExpert(tokens: chosen),
      weights: scores.reshaped([-1]).selecting(
        Tensor(places, shape: [places.count]).moved(to: logits.device)),
      probabilities: scores)
  }
}
