/// What one sparse layer chose for the tokens of one forward pass.
public struct RoutingReport: Sendable {
  /// The layer's place in the model, from 0; dense layers count.
  public var layer: Int
  /// Experts of the layer.
  public var expertCount: Int
  /// Slots per token in ``experts``.
  public var k: Int
  /// The chosen experts, `experts[token · k + slot]`, best first; -1 in slots that are not used.
  public var experts: [Int]
  /// The factor of each choice, in the order of ``experts``, if the observer asked for them.
  public var weights: [Float]?

  /// Describes what a layer chose.
  public init(layer: Int, expertCount: Int, k: Int, experts: [Int], weights: [Float]? = nil) {
    (self.layer, self.expertCount, self.k) = (layer, expertCount, k)
    (self.experts, self.weights) = (experts, weights)
  }
}

/// Receives what the routers of a model choose, layer by layer.
///
/// A model calls ``beginPass(tokens:sequenceLengths:)``, then ``observe(_:)`` for each of its sparse layers
/// in order, then ``endPass()``. Reports are in the order of the pass's tokens: one sequence after another.
/// Passes over later positions of the same sequences keep their order, as in generation.
public protocol RoutingObserver: AnyObject {
  /// Whether reports need weights, which costs reading them back from the tensor engine.
  var wantsWeights: Bool { get }

  /// A forward pass begins.
  ///
  /// - Parameters:
  ///   - tokens: Token ids, one sequence after another.
  ///   - sequenceLengths: Tokens of each sequence in this pass; they add up to the number of tokens.
  func beginPass(tokens: [Int32], sequenceLengths: [Int])

  /// A sparse layer has chosen.
  func observe(_ report: RoutingReport)

  /// All layers have been reported.
  func endPass()
}
