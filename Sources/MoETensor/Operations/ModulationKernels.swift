import CKernels
import MoECore

/// Element-wise steps of diffusion transformers in one pass over memory, forward and backward.
extension Tensor {
  /// norm(x) · (1 + scale) + shift, with a layer normalization without weights.
  ///
  /// - Parameters:
  ///   - shift: One row per image, shape `[images, 1, width]`.
  ///   - scale: One row per image, shape `[images, 1, width]`.
  ///   - epsilon: Added to the variance, so that constant rows stay finite.
  /// - Returns: Shape of this tensor, `[images, tokens, width]`.
  package func normalized(shift: Tensor, scale: Tensor, epsilon: Double) -> Tensor {
    require(
      rank == 3 && shift.shape == [size(0), 1, size(2)] && scale.shape == shift.shape,
      "rows of \(shift.shape) and \(scale.shape) modulate \(shape)")
    guard suitsModulation([shift, scale]) else {
      return layerNorm(epsilon: epsilon) * (scale + 1) + shift
    }
    return ModulationPass(self, shift: shift, scale: scale, epsilon: epsilon)
      .result(of: [self, shift, scale])
  }

  /// This tensor + gate · another.
  ///
  /// - Parameters:
  ///   - other: Of this tensor's shape, `[images, tokens, width]`.
  ///   - gate: One row per image, shape `[images, 1, width]`.
  /// - Returns: Shape of this tensor.
  package func adding(_ other: Tensor, gate: Tensor) -> Tensor {
    require(
      rank == 3 && other.shape == shape && gate.shape == [size(0), 1, size(2)],
      "\(other.shape) gated by \(gate.shape) added to \(shape)")
    guard suitsModulation([other, gate]) else { return self + gate * other }
    return GatedSum(self, other, gate: gate).result(of: [self, other, gate])
  }

  private func suitsModulation(_ others: [Tensor]) -> Bool {
    count > 0
      && ([self] + others).allSatisfy { $0.dtype == .f32 && $0.device == .cpu }
  }
}

/// One modulation.
private final class ModulationPass: KernelPass {
  let x: Tensor
  let shift: Tensor
  let scale: Tensor
  let epsilon: Double
  let statistics: Tensor

  init(_ x: Tensor, shift: Tensor, scale: Tensor, epsilon: Double) {
    (self.x, self.shift, self.scale) = (x.contiguous(), shift.contiguous(), scale.contiguous())
    self.epsilon = epsilon
    statistics = Tensor.uninitialized([2, x.size(0) * x.size(1)], dtype: .f32)
  }

  private func work(_ result: Tensor?) -> ckernels_modulation {
    let rows = x.size(0) * x.size(1)
    let first = unsafe statistics.freshFloats
    return unsafe ckernels_modulation(
      width: x.size(2), tokens: x.size(1), epsilon: Float(epsilon), x: x.floats,
      shift: shift.floats, scale: scale.floats, result: result?.freshFloats, means: first,
      factors: first.map { unsafe $0 + rows })
  }

  func forward() -> Tensor {
    let result = Tensor.uninitialized(x.shape, dtype: .f32)
    defer { extendLifetime((self, result)) }
    let work = unsafe work(result)
    Engine.parallel(x.size(0) * x.size(1), grain: Tensor.rowGrain(width: x.size(2))) { rows in
      unsafe withUnsafePointer(to: work) {
        unsafe Engine.kernels.functions.modulate($0, rows.lowerBound, rows.upperBound)
      }
    }
    return result
  }

  func backward(_ gradient: Tensor) -> [Tensor?] {
    let found = [x.shape, shift.shape, scale.shape].map { Tensor.uninitialized($0, dtype: .f32) }
    defer { extendLifetime((self, gradient, found)) }
    let forward = unsafe work(nil)
    unsafe withUnsafePointer(to: forward) { forward in
      let work = unsafe ckernels_modulation_backward(
        forward: forward, gradient: gradient.floats, x_gradient: found[0].freshFloats,
        shift_gradient: found[1].freshFloats, scale_gradient: found[2].freshFloats)
      Engine.parallel(x.size(0), grain: 1) { images in
        unsafe withUnsafePointer(to: work) {
          unsafe Engine.kernels.functions.modulate_backward(
            $0, images.lowerBound, images.upperBound)
        }
      }
    }
    return found
  }
}

/// One gated sum.
private final class GatedSum: KernelPass {
  let x: Tensor
  let y: Tensor
  let gate: Tensor

  init(_ x: Tensor, _ y: Tensor, gate: Tensor) {
    (self.x, self.y, self.gate) = (x.contiguous(), y.contiguous(), gate.contiguous())
  }

  private func work(_ result: Tensor?) -> ckernels_gated_sum {
    unsafe ckernels_gated_sum(
      width: x.size(2), tokens: x.size(1), x: x.floats, y: y.floats, gate: gate.floats,
      result: result?.freshFloats)
  }

  func forward() -> Tensor {
    let result = Tensor.uninitialized(x.shape, dtype: .f32)
    defer { extendLifetime((self, result)) }
    let work = unsafe work(result)
    Engine.parallel(x.size(0) * x.size(1), grain: Tensor.rowGrain(width: x.size(2))) { rows in
      unsafe withUnsafePointer(to: work) {
        unsafe Engine.kernels.functions.add_gated($0, rows.lowerBound, rows.upperBound)
      }
    }
    return result
  }

  func backward(_ gradient: Tensor) -> [Tensor?] {
    let found = [y.shape, gate.shape].map { Tensor.uninitialized($0, dtype: .f32) }
    defer { extendLifetime((self, gradient, found)) }
    let forward = unsafe work(nil)
    unsafe withUnsafePointer(to: forward) { forward in
      let work = unsafe ckernels_gated_sum_backward(
        forward: forward, gradient: gradient.floats, y_gradient: found[0].freshFloats,
        gate_gradient: found[1].freshFloats)
      Engine.parallel(y.size(0), grain: 1) { images in
        unsafe withUnsafePointer(to: work) {
          unsafe Engine.kernels.functions.add_gated_backward(
            $0, images.lowerBound, images.upperBound)
        }
      }
    }
    return [gradient, found[0], found[1]]
  }
}
