import CKernels
import MoECore

extension Tensor {
  /// ``rmsNorm(weight:epsilon:)`` by custom kernels, or `nil` if they do not apply.
  func rmsNormKernel(weight: Tensor, epsilon: Double) -> Tensor? {
    guard let width = shape.last, width > 0, count > 0, weight.count == width,
      Tensor.haveKernelTypes([self, weight])
    else { return nil }
    return RMSNormPass(self, weight: weight, epsilon: epsilon).result(of: [self, weight])
  }
}

/// One normalization.
private final class RMSNormPass: KernelPass {
  /// Rows whose sums for the weight's gradient are one block.
  ///
  /// The blocks, and so the order of sums, do not depend on the number of threads.
  private static let block = 64

  private let x: Tensor
  private let weight: Tensor
  private let epsilon: Double

  init(_ x: Tensor, weight: Tensor, epsilon: Double) {
    (self.x, self.weight) = (x.contiguous(), weight.contiguous())
    self.epsilon = epsilon
  }

  private var width: Int { weight.count }
  private var rows: Int { x.count / width }

  private func work(_ result: Tensor?) -> ckernels_norm {
    unsafe ckernels_norm(
      narrow: x.dtype == .bf16, width: width, epsilon: Float(epsilon), x: x.hostElements,
      weight: weight.hostElements, result: result?.freshElements)
  }

  func forward() -> Tensor {
    let result = Tensor.uninitialized(x.shape, dtype: x.dtype)
    defer { extendLifetime((self, result)) }
    let work = unsafe work(result)
    Engine.parallel(rows, grain: Tensor.rowGrain(width: width)) { rows in
      unsafe withUnsafePointer(to: work) {
        unsafe Engine.kernels.functions.rms_norm($0, rows.lowerBound, rows.upperBound)
      }
    }
    return result
  }

  func backward(_ gradient: Tensor) -> [Tensor?] {
    let blocks = (rows + Self.block - 1) / Self.block
    let found = Tensor.uninitialized(x.shape, dtype: x.dtype)
    let sums = Tensor.uninitialized([blocks, width], dtype: .f32)
    defer { extendLifetime((self, gradient, found, sums)) }
    let forward = unsafe work(nil)
    unsafe withUnsafePointer(to: forward) { forward in
      let work = unsafe ckernels_norm_backward(
        forward: forward, rows: rows, block: Self.block, gradient: gradient.hostElements,
        x_gradient: found.freshElements, weight_gradients: sums.freshFloats)
      Engine.parallel(blocks, grain: 1) { blocks in
        unsafe withUnsafePointer(to: work) {
          unsafe Engine.kernels.functions.rms_norm_backward(
            $0, blocks.lowerBound, blocks.upperBound)
        }
      }
    }
    let change = sums.sum(axis: 0).cast(to: weight.dtype).reshaped(weight.shape)
    return [found, change]
  }
}
