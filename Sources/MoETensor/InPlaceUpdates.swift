import MoECore

private let fusedAdamW = Operator("_fused_adamw_")
private let foreachNorm = Operator("_foreach_norm", "Scalar")
private let foreachMultiply = Operator("_foreach_mul", "Tensor")
private let foreachScale = Operator("_foreach_mul_", "Scalar")
private let foreachAdd = Operator("_foreach_add_", "List")

/// The constants of one AdamW update.
package struct AdamWUpdate {
  package var learningRate: Double
  package var beta1: Double
  package var beta2: Double
  package var weightDecay: Double
  package var epsilon: Double

  package init(
    learningRate: Double, beta1: Double, beta2: Double, weightDecay: Double, epsilon: Double
  ) {
    (self.learningRate, self.beta1, self.beta2) = (learningRate, beta1, beta2)
    (self.weightDecay, self.epsilon) = (weightDecay, epsilon)
  }

  /// Updates weights and both moments in place, in one call of the engine; `step` counts from 1.
  package func apply(
    to weights: [Parameter], gradients: [Tensor], firstMoments: [Parameter],
    secondMoments: [Parameter], step: Int
  ) {
    guard let device = weights.first?.value.device else { return }
    for (weight, gradient) in zip(weights, gradients) {
      require(
        gradient.shape == weight.value.shape && gradient.dtype == weight.value.dtype,
        "a gradient of \(gradient.summary) for a weight of \(weight.value.summary)")
    }
    withoutGradients {
      let count = Tensor(Float(step)).moved(to: device)
      // The fused operation ignores strides.
      let gradients = gradients.map { $0.contiguous() }
      fusedAdamW.update(
        weights.map { $0.uniqueValue() }, gradients, firstMoments.map { $0.uniqueValue() },
        secondMoments.map { $0.uniqueValue() }, [Tensor](),
        [Tensor](repeating: count, count: weights.count), learningRate, beta1, beta2, weightDecay,
        epsilon, false, false)
    }
  }
}

extension Tensor {
  /// The Euclidean norm of each tensor, shape `[tensors]`, f32.
  ///
  /// Squares of 16-bit types are summed in f32.
  ///
  /// - Precondition: There is at least one tensor.
  package static func norms(of tensors: [Tensor]) -> Tensor {
    let isNarrow = tensors.contains { $0.dtype.byteSize < 4 }
    let norms = foreachNorm.results(tensors.count, tensors, 2, isNarrow ? DType.f32 : nil)
    return Tensor.stacked(norms.map { $0.cast(to: .f32) })
  }

  /// Every tensor multiplied by the same scalar, shape `[]`.
  package static func scaled(_ tensors: [Tensor], by factor: Tensor) -> [Tensor] {
    foreachMultiply.results(tensors.count, tensors, factor)
  }

  /// Changes `targets[i]` in place to `targets[i] · keep + sources[i] · (1 − keep)`.
  package static func average(_ targets: [Parameter], with sources: [Tensor], keep: Double) {
    guard !targets.isEmpty else { return }
    withoutGradients {
      let values = targets.map { $0.uniqueValue() }
      foreachScale.update(values, keep)
      foreachAdd.update(values, sources, 1 - keep)
    }
  }
}
