public import MoECore
import MoETensor

/// Statistics of one weight and its gradient.
public struct TensorStatistics: Hashable, Sendable {
  /// The weight's name.
  public var name: String
  /// Largest magnitude of the weight.
  public var largestWeight: Double
  /// Euclidean norm of the weight.
  public var weightNorm: Double
  /// Euclidean norm of the gradient; NaN or infinite if any element is.
  public var gradientNorm: Double

  /// The statistics of all weights.
  static func all(_ weights: [NamedParameter], gradients: [Tensor]) -> [TensorStatistics] {
    all(
      weights,
      gradientNorms: withoutGradients {
        gradients.map { Double($0.cast(to: .f32).norm().item(as: Float.self)) }
      })
  }

  /// The statistics of all weights, given the norms of their gradients.
  static func all(_ weights: [NamedParameter], gradientNorms: [Double]) -> [TensorStatistics] {
    withoutGradients {
      zip(weights, gradientNorms).map { named, gradientNorm in
        let value = named.parameter.value.cast(to: .f32).reshaped([-1])
        return TensorStatistics(
          name: named.name,
          largestWeight: value.count == 0
            ? 0 : Double(value.abs().max(axis: 0).item(as: Float.self)),
          weightNorm: Double(value.norm().item(as: Float.self)), gradientNorm: gradientNorm)
      }
    }
  }
}

/// A step whose loss or gradients are not finite.
public struct NonFiniteStep: Error {
  /// The step, from 1.
  public var step: Int
  /// The loss.
  public var loss: Double
  /// The norm of all gradients.
  public var gradientNorm: Double
  /// The parts of the loss.
  public var parts: [NamedValue]
  /// Statistics of every weight, in the model's order.
  public var tensors: [TensorStatistics]
  /// What each sparse layer did.
  public var routing: [LayerRouting]
  /// Whether some weights were updated before this was noticed, which happens only with
  /// ``LoopSettings/fusesUpdates`` and no limit on the norm.
  public var hasChangedWeights = false

  /// The statistics as a table of comma-separated values.
  public var table: String {
    let rows = tensors.map {
      "\($0.name),\($0.largestWeight),\($0.weightNorm),\($0.gradientNorm)"
    }
    return (["weight,largest_weight,weight_norm,gradient_norm"] + rows).joined(separator: "\n")
      + "\n"
  }
}

extension NonFiniteStep: CustomStringConvertible {
  /// What happened, where, and what to change.
  public var description: String {
    let bad = tensors.filter { !$0.gradientNorm.isFinite }
    let largest = tensors.max { $0.largestWeight < $1.largestWeight }
    let place =
      bad.first.map {
        "\(bad.count) of \(tensors.count) gradients are not finite, the first that of '\($0.name)'"
      } ?? "all gradients are finite"
    let weight = largest.map { "; the largest weight is \($0.largestWeight) in '\($0.name)'" } ?? ""
    let losses = parts.map { "\($0.name) \($0.value)" }.joined(separator: ", ")
    let change = hasChangedWeights ? "; some weights were updated before this was noticed" : ""
    return
      "step \(step) is not finite: loss \(loss) (\(losses)), gradient norm \(gradientNorm); \(place)\(weight)\(change); try a lower learning rate, a longer warm-up or f32"
  }
}
