package import CKernels
import MoECore

extension Tensor {
  /// activation(x), times a factor if there is one, in f32 and rounded once; an element's result does not depend on its
  /// place, as it does in libtorch, which computes the elements that fill no vector by another function.
  ///
  /// - Parameters:
  ///   - activation: The kernels' name of the function.
  ///   - factor: Shape and type of this tensor.
  /// - Returns: The same shape and type, or `nil` if the kernel does not apply: gradients are recorded, or the type is
  ///   neither f32 nor bf16.
  package func activatedByKernel(
    _ activation: ckernels_activation, times factor: Tensor? = nil
  ) -> Tensor? {
    guard count > 0, Tensor.suitKernels([self] + (factor.map { [$0] } ?? [])),
      factor.map({ $0.shape == shape }) ?? true
    else { return nil }
    let (input, other) = (contiguous(), factor?.contiguous())
    let result = Tensor.uninitialized(shape, dtype: dtype)
    defer { extendLifetime((input, other, result)) }
    let work = unsafe ckernels_elements(
      narrow: dtype == .bf16, activation: activation, x: input.hostElements,
      factor: other?.hostElements, result: result.freshElements)
    Engine.parallel(count, grain: 1 << 13) { part in
      unsafe withUnsafePointer(to: work) {
        unsafe Engine.kernels.functions.activate($0, part.lowerBound, part.upperBound)
      }
    }
    return result
  }
}

/// The logistic function with a record for gradients.
final class SigmoidPass: KernelPass {
  private let x: Tensor
  private var value: Tensor?

  init(_ x: Tensor) { self.x = x }

  func forward() -> Tensor {
    guard let value = x.activatedByKernel(CKERNELS_LOGISTIC) else {
      preconditionFailure("the logistic function of \(x.dtype)")
    }
    self.value = value
    return value
  }

  func backward(_ gradient: Tensor) -> [Tensor?] {
    [value.map { gradient * ($0 * (1 - $0)) }]
  }
}
