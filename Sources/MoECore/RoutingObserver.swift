/// The routing of one sparse layer for the tokens of one forward pass.
public struct RoutingReport: Sendable {
  /// The layer's index in the model, from 0; dense layers count.
  public var layer: Int
  /// The number of experts in the layer.
  public var expertCount: Int
  /// Slots per token in ``experts``.
  public var k: Int
  /// The selected experts, `experts[token · k + slot]`, best first; -1 in unused slots.
  public var experts: [Int]
  /// The weight of each choice, in the order of ``experts``, if the observer wants weights.
  public var weights: [Float]?

  /// Describes a layer's choices.
  public init(layer: Int, expertCount: Int, k: Int, experts: [Int], weights: [Float]? = nil) {
    (self.layer, self.expertCount, self.k) = (layer, expertCount, k)
    (self.experts, self.weights) = (experts, weights)
  }
}

/// Receives the choices of a model's routers, layer by layer.
///
/// A model calls ``beginPass(tokens:sequenceLengths:)``, then ``observe(_:)`` for each of its
/// sparse layers in order, then ``endPass()``. Reports follow the order of the pass's tokens: one
/// sequence after another. Later passes over the same sequences, as in generation, keep their
/// order.
public protocol RoutingObserver: AnyObject {
  /// Whether reports need weights, which have to be read back from the tensor engine.
  var wantsWeights: Bool { get }

  /// Called when a forward pass begins.
  ///
  /// - Parameters:
  ///   - tokens: Token ids, one sequence after another.
  ///   - sequenceLengths: The number of tokens of each sequence in this pass; they add up to the
  ///     number of tokens.
  func beginPass(tokens: [Int32], sequenceLengths: [Int])

  /// Called after a sparse layer has chosen its experts.
  func observe(_ report: RoutingReport)

  /// Called after all layers have been reported.
  func endPass()
}
