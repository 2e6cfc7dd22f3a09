import MoECore
import MoETensor

extension TrainingLoop {
  /// Updates each weight as soon as its gradient is known; returns the measurements and the
  /// gradients' norm.
  ///
  /// The clipping factor depends on all gradients. So with a limit, a first pass measures their
  /// norm, and a second one computes the same gradients again and applies them. Without a limit one
  /// pass is enough, but a gradient that is not finite may be found after others were applied.
  func fusedUpdate(rate: Double) throws -> (StepRecord, norm: Double) {
    precondition(
      settings.accumulation == 1, "fused updates cannot accumulate several micro-batches")
    let batch = try task.nextBatch()
    var factor: Tensor?
    if settings.clip.isFinite {
      factor = try pass(over: batch).scale(maximumNorm: settings.clip).factor
      // The second pass sees the same batch.
      task.stepAbandoned()
    }
    var hasStarted = false
    let pass = try pass(over: batch) { [optimizer] index, gradient in
      // A pass that fails before its first update leaves the optimizer as it was.
      if !hasStarted { optimizer.startStep() }
      hasStarted = true
      let limited = factor.map { Tensor.scaled([gradient], by: $0)[0] } ?? gradient
      optimizer.update(index, gradient: limited, learningRate: rate)
    }
    return (pass.record, pass.norm)
  }

  /// Runs the forward and backward pass over a batch and measures each gradient; `update` receives
  /// the gradients as long as everything is finite.
  private func pass(
    over batch: Task.Batch, update: ((_ index: Int, _ gradient: Tensor) -> Void)? = nil
  ) throws -> FusedPass {
    let random = random(batch: 0)
    var pass = FusedPass(count: task.weights.count)
    var hasChangedWeights = false
    _ = try forEachGradient(
      of: {
        let found = try task.loss(batch, random: random)
        let total = found.total
        pass.record.take(found, total: total, share: 1)
        return total
      }, for: task.weights.map(\.parameter)
    ) { index, gradient in
      pass.take(index, gradient)
      guard let update, pass.isFinite else { return }
      update(index, gradient)
      hasChangedWeights = true
    }
    guard pass.isFinite, pass.norm.isFinite else {
      throw NonFiniteStep(
        step: step + 1, loss: pass.record.loss, gradientNorm: pass.norm, parts: pass.record.parts,
        tensors: TensorStatistics.all(task.weights, gradientNorms: pass.norms.map(Double.init)),
        routing: pass.record.routing, hasChangedWeights: hasChangedWeights)
    }
    return pass
  }
}

/// What a pass over a batch measured; the gradients themselves are gone.
private struct FusedPass {
  var record = StepRecord()
  /// The norm of each gradient, in the weights' order.
  private(set) var norms: [Float]
  private var hasFiniteNorms = true

  init(count: Int) { norms = Array(repeating: 0, count: count) }

  /// Whether the loss and all gradients so far are finite.
  var isFinite: Bool { record.loss.isFinite && hasFiniteNorms }

  mutating func take(_ index: Int, _ gradient: Tensor) {
    norms[index] = Tensor.norms(of: [gradient]).item(as: Float.self)
    hasFiniteNorms = hasFiniteNorms && norms[index].isFinite
  }

  /// The norm of all gradients.
  var norm: Double { scale(maximumNorm: .infinity).norm }

  func scale(maximumNorm: Double) -> ClippingScale {
    withoutGradients { ClippingScale(norms: Tensor(norms), maximumNorm: maximumNorm) }
  }
}
