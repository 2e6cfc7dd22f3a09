import CTorch
import MoECore

/// Computes a loss and delivers the gradient of each parameter as soon as it is complete, so that
/// the gradients never exist all at once.
///
/// A gradient is delivered when the backward pass no longer needs its parameter, so `use` may
/// change the parameter. The order of gradients is unspecified. Must not be called inside another
/// gradient computation for the same weights. Memory that is free between the passes is returned to
/// the system.
///
///     let loss = try forEachGradient(of: { … }, for: weights) { index, gradient in
///       optimizer.update(index, gradient: gradient, learningRate: 1e-3)
///     }
///
/// Blocks that are ``recomputed(_:parameters:_:)-([Tensor],_,_)`` must list all weights that they
/// use; otherwise they would see the changed ones.
///
/// - Parameters:
///   - loss: Computes the loss, a scalar.
///   - parameters: The weights that `loss` uses, each once.
///   - use: Receives the index of a parameter in `parameters` and its gradient, without recording;
///     zeros if the loss does not depend on it. The calls with zeros come last.
/// - Returns: The loss, shape `[]`, as a constant.
/// - Throws: What `loss` or `use` throws, or ``TensorError/gradientFailed(message:)`` when a
///   recomputed block failed during the backward pass. Parameters that `use` changed before stay
///   changed.
/// - Complexity: Time of ``valueAndGradients(of:for:)-(_,[Parameter])``; memory for the gradients
///   of one recomputed block or one operation at a time.
/// - SeeAlso: Lv et al. 2023, *Full Parameter Fine-tuning for Large Language Models with Limited
///   Resources*, §3.1, [arXiv:2306.09782](https://arxiv.org/abs/2306.09782).
public func forEachGradient(
  of loss: () throws -> Tensor, for parameters: [Parameter],
  _ use: (_ index: Int, _ gradient: Tensor) throws -> Void
) throws -> Tensor {
  require(
    Set(parameters.map(ObjectIdentifier.init)).count == parameters.count,
    "a parameter is listed twice; each gradient comes once")
  require(
    !parameters.contains { $0.value.requiresGradient },
    "gradients that come one by one inside another computation of gradients")
  // Do not hold the values here: a parameter whose elements are shared is copied on update.
  for parameter in parameters { parameter.value.setRequiresGradient(true) }
  defer { for parameter in parameters { parameter.value.setRequiresGradient(false) } }
  return try withoutActuallyEscaping(use) { use in
    let receiver = GradientReceiver(parameters, use)
    return try withExtendedLifetime(receiver) {
      var value = try withRecording(true) { () throws -> Tensor in try loss() }
      require(
        value.count == 1, "gradients of a loss of shape \(value.shape); it must be one number")
      if value.requiresGradient { try receiver.goBack(from: value) }
      // Releases the graph, which holds all weights.
      value = value.detached()
      try receiver.fillIn()
      return value
    }
  }
}

/// Passes gradients from the engine to the function that uses them.
@safe private final class GradientReceiver {
  private let parameters: [Parameter]
  private let use: (Int, Tensor) throws -> Void
  private var isPending: [Bool]
  private var failure: (any Error)?

  init(_ parameters: [Parameter], _ use: @escaping (Int, Tensor) throws -> Void) {
    (self.parameters, self.use) = (parameters, use)
    isPending = Array(repeating: true, count: parameters.count)
  }

  /// The backward pass from a recorded scalar.
  func goBack(from loss: Tensor) throws {
    let context = unsafe Unmanaged.passUnretained(self).toOpaque()
    defer { stopWatching() }
    for (index, parameter) in parameters.enumerated() {
      let status = unsafe parameter.value.withHandle {
        unsafe ctorch_watch_gradient(
          $0, { unsafe GradientReceiver.take($0, $1, $2) }, context, index)
      }
      require(status == 0, Engine.lastError)
    }
    // Forward and backward passes leave gaps of different sizes. Without this, unused free memory
    // would be a tenth of the total.
    ctorch_give_back_freed_memory()
    let status = unsafe loss.withHandle { unsafe ctorch_backward($0) }
    if let failure { throw failure }
    guard status == 0 else { throw TensorError.gradientFailed(message: Engine.lastError) }
  }

  /// Delivers zeros for parameters that the loss did not depend on.
  func fillIn() throws {
    for index in parameters.indices where isPending[index] {
      try withoutGradients { try receive(index, parameters[index].value.zerosLike()) }
    }
  }

  private func stopWatching() {
    for (index, parameter) in parameters.enumerated() where isPending[index] {
      unsafe parameter.value.withHandle { unsafe ctorch_unwatch_gradient($0) }
    }
  }

  private func receive(_ index: Int, _ gradient: Tensor) throws {
    // An update may replace the value by a copy; the old one must not stay recording for other
    // holders.
    parameters[index].value.setRequiresGradient(false)
    isPending[index] = false
    try use(index, gradient)
  }

  /// The function that libtorch calls in the backward pass; see `CTorchGradientReady`.
  private static func take(
    _ context: UnsafeMutableRawPointer?, _ index: Int, _ gradient: OpaquePointer?
  ) -> CInt {
    guard let context = unsafe context, let gradient = unsafe gradient else { return 1 }
    let receiver = unsafe Unmanaged<GradientReceiver>.fromOpaque(context).takeUnretainedValue()
    let tensor = unsafe Tensor(owning: gradient)
    do {
      let parameter = receiver.parameters[index]
      parameter.isHeldByGraph = true
      defer { parameter.isHeldByGraph = false }
      try withoutGradients { try receiver.receive(index, tensor) }
      return 0
    } catch {
      // Rethrown once the engine has aborted the pass, whose own message is not needed.
      receiver.failure = error
      return 1
    }
  }
}
