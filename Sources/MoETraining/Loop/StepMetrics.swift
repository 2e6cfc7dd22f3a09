public import MoECore

/// The measurements of a completed training step.
public struct StepMetrics: Hashable, Sendable {
  /// The step's number, from 1.
  public var step: Int
  /// Complete passes over the data before this step.
  public var epoch: Int
  /// Tokens, images or texts in the step.
  public var units: Int
  /// The loss that was minimized: Σ coefficient · part, the mean over the micro-batches.
  public var loss: Double
  /// Its parts before multiplication by their coefficients, as means over the micro-batches.
  public var parts: [NamedValue]
  /// The learning rate of the update.
  public var learningRate: Double
  /// Euclidean norm of all gradients before clipping.
  public var gradientNorm: Double
  /// What each sparse layer did.
  public var routing: [LayerRouting]
  /// Experts that count as dead from this step on, after enough steps without tokens.
  public var died: [IdleExperts.Expert]
  /// Experts that count as dead.
  public var deadCount: Int
  /// Time that the step took.
  public var seconds: Double

  /// Units per second.
  public var speed: Double { seconds > 0 ? Double(units) / seconds : 0 }

  /// The routing of all layers in a few numbers, for tables; empty for models without sparse layers.
  public var routingSummary: [NamedValue] {
    guard !routing.isEmpty else { return [] }
    let share = 1 / Double(routing.count)
    return [
      NamedValue("imbalance", routing.reduce(0) { $0 + $1.load.imbalance } * share),
      NamedValue("entropy", routing.reduce(0) { $0 + $1.entropy } * share),
      NamedValue("dropped_share", routing.reduce(0) { $0 + $1.droppedShare } * share),
      NamedValue("idle_experts", Double(routing.reduce(0) { $0 + $1.load.deadExperts.count })),
      NamedValue("dead_experts", Double(deadCount)),
    ]
  }
}
