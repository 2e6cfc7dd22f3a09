/// The names of a sparse layer's weights in a checkpoint, after `model.layers.N.`.
public struct WeightNames: Hashable, Sendable {
  /// The module that holds gate and experts.
  public var block: String
  /// An expert's gate projection.
  public var gate: String
  /// An expert's up projection.
  public var up: String
  /// An expert's down projection.
  public var down: String
  /// The shared expert, inside ``block``.
  public var shared: String

  /// Names the parts of a layer.
  public init(block: String, gate: String, up: String, down: String, shared: String) {
    (self.block, self.gate, self.up) = (block, gate, up)
    (self.down, self.shared) = (down, shared)
  }

  /// Whether a weight is added to scores when experts are chosen: a state of training, of more precision than weights.
  package static func isSelectionBias(_ name: String) -> Bool {
    name.hasSuffix(".e_score_correction_bias")
  }

  /// As OLMoE, Qwen and DeepSeek name them.
  public static let usual = WeightNames(
    block: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj", shared: "shared_experts")
}
