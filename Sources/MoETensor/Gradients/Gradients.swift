import CTorch

/// A loss and its derivatives.
public struct ValueAndGradients {
  /// The loss, shape `[]`, as a constant.
  public var value: Tensor
  /// The derivative with respect to each variable, in their order and shapes.
  public var gradients: [Tensor]
}

/// Computes a loss and its gradients.
///
/// Variables that the loss does not depend on get zero gradients.
///
///     let result = try valueAndGradients(of: { model(batch).crossEntropy(targets: labels) }, for: weights)
///
/// - Parameters:
///   - loss: Computes the loss, a scalar, from the variables.
///   - variables: Floating-point tensors that `loss` uses.
/// - Returns: The loss and one gradient per variable.
/// - Throws: What `loss` throws, or ``TensorError/gradientFailed(message:)`` when a recomputed
///   block failed during the backward pass.
/// - Complexity: Time and memory of the forward pass, and about twice its time for the backward
///   pass.
public func valueAndGradients(
  of loss: () throws -> Tensor, for variables: [Tensor]
) throws -> ValueAndGradients {
  try recording(variables) {
    let value = try loss()
    require(value.count == 1, "gradients of a loss of shape \(value.shape); it must be one number")
    guard value.requiresGradient else {
      return ValueAndGradients(value: value, gradients: variables.map { $0.zerosLike() })
    }
    let found = try gradients(of: [value], seeds: [nil], for: variables)
    let gradients = zip(found, variables).map { $0 ?? $1.zerosLike() }
    return ValueAndGradients(value: value.detached(), gradients: gradients)
  }
}

/// Computes a loss and its gradients with respect to the values of parameters.
///
/// - Parameters:
///   - loss: Computes the loss, a scalar.
///   - parameters: The weights that `loss` uses.
/// - Returns: The loss and one gradient per parameter.
/// - Throws: As ``valueAndGradients(of:for:)-(_,[Tensor])``.
public func valueAndGradients(
  of loss: () throws -> Tensor, for parameters: [Parameter]
) throws -> ValueAndGradients {
  try valueAndGradients(of: loss, for: parameters.map(\.value))
}

/// Runs `body` without recording operations for gradients, which saves memory and time.
///
/// - Returns: What `body` returns.
/// - Throws: What `body` throws.
public func withoutGradients<Result, Failure: Error>(
  _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
  try withRecording(false, body)
}

/// Runs `body` with recording switched on or off on this thread.
func withRecording<Result, Failure: Error>(
  _ enabled: Bool, _ body: () throws(Failure) -> Result
) throws(Failure) -> Result {
  let before = ctorch_gradients_enabled()
  ctorch_set_gradients_enabled(enabled)
  defer { ctorch_set_gradients_enabled(before) }
  return try body()
}

/// Runs `body` while the variables count as inputs of a gradient computation.
func recording<Result>(_ variables: [Tensor], _ body: () throws -> Result) rethrows -> Result {
  // A result of recorded operations already requires a gradient and must continue to do so.
  let marked = variables.filter { !$0.requiresGradient }
  for variable in marked { variable.setRequiresGradient(true) }
  defer { for variable in marked { variable.setRequiresGradient(false) } }
  return try withRecording(true) { () throws -> Result in try body() }
}

/// Gradients of Σ outputs · seeds; `nil` for inputs that do not contribute.
func gradients(
  of outputs: [Tensor], seeds: [Tensor?], for inputs: [Tensor]
) throws(TensorError) -> [Tensor?] {
  var results = unsafe [OpaquePointer?](repeating: nil, count: inputs.count)
  let status = unsafe Tensor.withHandles(outputs) { outputs, outputCount in
    unsafe Tensor.withHandles(seeds) { seeds, _ in
      unsafe Tensor.withHandles(inputs) { inputs, inputCount in
        unsafe ctorch_gradients(outputs, seeds, outputCount, inputs, inputCount, &results)
      }
    }
  }
  guard status == 0 else { throw .gradientFailed(message: Engine.lastError) }
  return unsafe results.map { unsafe $0.map { unsafe Tensor(owning: $0) } }
}

extension Tensor {
  /// Whether operations on this tensor are being recorded.
  var requiresGradient: Bool { unsafe withHandle { unsafe ctorch_tensor_requires_gradient($0) } }

  func setRequiresGradient(_ required: Bool) {
    let status = unsafe withHandle { unsafe ctorch_tensor_set_requires_gradient($0, required) }
    guard status == 0 else {
      programmerError("gradients for a tensor of type \(dtype): \(Engine.lastError)")
    }
  }
}
