import CTorch
import MoECore

/// Runs a block of a model with activation checkpointing: inner results are not kept for the
/// backward pass but recomputed then, which saves memory for about a third more time.
///
/// The block must be deterministic: called again with the same inputs, it must compute the same
/// results. It must not draw random numbers; draw them outside and pass them in. Both times it is
/// recorded for gradients; what it returns besides its results must be detached, or the inner
/// results of the first pass stay in memory.
///
/// - Parameters:
///   - inputs: Tensors that the block receives. Gradients flow to those of floating-point type.
///   - parameters: Further weights that the block uses; gradients flow to these too. A weight that
///     is not listed counts as a constant. Anything computed from weights outside must be passed as
///     an input.
///   - block: Computes floating-point tensors from the inputs.
/// - Returns: What the block returned.
/// - Throws: What `block` throws in the forward pass. If it throws in the backward pass,
///   ``valueAndGradients(of:for:)-(_,[Tensor])`` does.
/// - SeeAlso: Chen et al. 2016, *Training Deep Nets with Sublinear Memory Cost*,
///   [arXiv:1604.06174](https://arxiv.org/abs/1604.06174).
public func recomputed(
  _ inputs: [Tensor], parameters: [Parameter] = [], _ block: @escaping ([Tensor]) throws -> [Tensor]
) throws -> [Tensor] {
  let weights = parameters.map(\.value)
  guard Tensor.recordsGradients(inputs + weights) else {
    return try withoutGradients { try block(inputs) }
  }
  // This pass is recorded like the second one, so that both take the same kernels and give the same numbers; its record
  // is gone when its results have been detached.
  let cut = inputs.map { $0.detached() }
  let values = try recording(cut.filter(\.dtype.isFloatingPoint) + weights) {
    try block(cut).map { $0.detached() }
  }
  return recorded(values, from: inputs + weights) { outputGradients in
    try gradients(of: outputGradients, inputs: inputs, weights: weights, block: block)
  }
}

/// Runs a block with one input and one result, recomputing it in the backward pass.
///
/// - Parameters:
///   - input: The tensor that the block receives.
///   - parameters: Weights that the block uses.
///   - block: Computes a floating-point tensor from the input.
/// - Returns: What the block returned.
/// - Throws: As ``recomputed(_:parameters:_:)-([Tensor],_,_)``.
public func recomputed(
  _ input: Tensor, parameters: [Parameter] = [], _ block: @escaping (Tensor) throws -> Tensor
) throws -> Tensor {
  try recomputed([input], parameters: parameters) { [try block($0[0])] }[0]
}

/// Recomputes the block and backpropagates through it; `nil` for inputs and weights without a
/// gradient.
private func gradients(
  of outputGradients: [Tensor?], inputs: [Tensor], weights: [Tensor],
  block: ([Tensor]) throws -> [Tensor]
) throws -> [Tensor?] {
  // Detached copies of the inputs cut the connection to the surrounding graph.
  let cut = inputs.map { $0.detached() }
  let differentiable = cut.filter(\.dtype.isFloatingPoint)
  return try recording(differentiable + weights) {
    let outputs = try block(cut)
    let used = zip(outputs, outputGradients).filter { $0.0.requiresGradient && $0.1 != nil }
    guard !used.isEmpty else { return (cut + weights).map { _ in nil } }
    var found = try gradients(
      of: used.map(\.0), seeds: used.map(\.1), for: differentiable + weights)[...]
    return cut.map { $0.dtype.isFloatingPoint ? found.removeFirst() : nil } + found
  }
}
