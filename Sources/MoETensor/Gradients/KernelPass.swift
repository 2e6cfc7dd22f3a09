/// An operation with custom kernels for both directions, and what its backward pass needs.
///
/// The kernels are used with and without recording, so that recomputation gives identical results.
protocol KernelPass: AnyObject {
  /// Computes the result.
  func forward() -> Tensor
  /// The gradients of the inputs, given that of the result, which is contiguous.
  func backward(_ gradient: Tensor) -> [Tensor?]
}

extension KernelPass {
  /// The result, recorded if gradients of the inputs are required.
  func result(of inputs: [Tensor]) -> Tensor {
    let value = withoutGradients { forward() }
    guard Tensor.recordsGradients(inputs) else { return value }
    let none = inputs.map { _ in Tensor?.none }
    return recorded([value], from: inputs) { gradients in
      gradients[0].map { self.backward($0.contiguous()) } ?? none
    }[0]
  }
}
