import CKernels
import MoECore
import MoERouting
import MoETensor

extension Dispatch.ByToken {
  /// The weighted sum of each token's answers, by the kernel.
  ///
  /// - Parameters:
  ///   - answers: f32, on the CPU, `[assignments, width]`, in the order of experts.
  ///   - weights: One f32 weight per element of ``places``; `nil` for the router's.
  ///   - tokens: Number of tokens.
  ///   - dtype: The type of the sums; those that the kernel does not write are converted.
  /// - Returns: Shape `[tokens, width]`.
  func combined(
    _ answers: Tensor, weights: Tensor? = nil, tokens: Int, as dtype: DType
  ) -> Tensor {
    guard dtype == .f32 || dtype == .bf16 else {
      return combined(answers, weights: weights, tokens: tokens, as: .f32).cast(to: dtype)
    }
    let width = answers.size(1)
    let factors = (weights ?? self.weights).cast(to: .f32).contiguous()
    let result = Tensor.uninitialized([tokens, width], dtype: dtype)
    defer { extendLifetime((answers, factors, result)) }
    unsafe starts.withUnsafeBufferPointer { starts in
      unsafe places.withUnsafeBufferPointer { places in
        let work = unsafe ckernels_combination(
          narrow: dtype == .bf16, width: width, answers: answers.floats,
          starts: starts.baseAddress, places: places.baseAddress, weights: factors.floats,
          result: result.freshElements)
        Engine.parallel(tokens, grain: 16) { part in
          unsafe withUnsafePointer(to: work) {
            unsafe Engine.kernels.functions.combine($0, part.lowerBound, part.upperBound)
          }
        }
      }
    }
    return result
  }
}
