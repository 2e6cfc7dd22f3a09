import CKernels
import MoECore

extension Tensor {
  /// Rotates pairs of elements that are half of the last axis apart (rotary position embedding).
  ///
  ///     (x_i, x_{i + width/2}) becomes (x_i · cos − x_{i + width/2} · sin, x_{i + width/2} · cos + x_i · sin)
  ///
  /// - Parameters:
  ///   - cosine: f32, shape `[positions, width / 2]`.
  ///   - sine: f32, shape `[positions, width / 2]`.
  /// - Returns: Shape and type of this tensor, which is `[…, positions, heads, width]`.
  package func rotatingHalves(cosine: Tensor, sine: Tensor) -> Tensor {
    require(
      rank >= 3 && cosine.shape == [size(-3), size(-1) / 2] && sine.shape == cosine.shape
        && size(-1).isMultiple(of: 2) && cosine.dtype == .f32 && sine.dtype == .f32,
      "angles of \(cosine.shape) for a rotation of \(shape)")
    guard Tensor.recordsGradients([self]) else { return rotated(cosine, sine) }
    let value = withoutGradients { rotated(cosine, sine) }
    // The transpose of a rotation is its inverse.
    return recorded([value], from: [self]) { gradients in
      [gradients[0].map { $0.rotated(cosine, -sine) }]
    }[0]
  }

  private func rotated(_ cosine: Tensor, _ sine: Tensor) -> Tensor {
    rotationKernel(cosine, sine) ?? rotatedPlainly(cosine, sine)
  }

  private func rotationKernel(_ cosine: Tensor, _ sine: Tensor) -> Tensor? {
    let shape = self.shape
    guard count > 0, dtype == .f32 || dtype == .bf16, device == .cpu,
      !Tensor.recordsGradients([self])
    else { return nil }
    let (width, heads, positions) = (shape[shape.count - 1], shape[shape.count - 2], cosine.size(0))
    let (input, result) = (contiguous(), Tensor.uninitialized(shape, dtype: dtype))
    guard let x = unsafe input.hostElements, let c = unsafe cosine.hostElements,
      let s = unsafe sine.hostElements, let y = unsafe result.freshElements
    else { return nil }
    defer { extendLifetime((input, cosine, sine, result)) }
    let work = unsafe ckernels_rotation(
      narrow: dtype == .bf16, heads: heads, width: width, positions: positions, x: x,
      cosine: c.assumingMemoryBound(to: Float.self), sine: s.assumingMemoryBound(to: Float.self),
      result: y)
    Engine.parallel(count / (heads * width), grain: Tensor.rowGrain(width: heads * width)) { rows in
      unsafe withUnsafePointer(to: work) {
        unsafe Engine.kernels.functions.rotate($0, rows.lowerBound, rows.upperBound)
      }
    }
    return result
  }

  /// The definition, for tensors on other devices or of other types.
  private func rotatedPlainly(_ cosine: Tensor, _ sine: Tensor) -> Tensor {
    func whole(_ half: Tensor) -> Tensor {
      Tensor.concatenated([half, half], axis: 1).cast(to: dtype).expandingAxis(1)
    }
    let halves = split(count: 2, axis: -1)
    let turned = Tensor.concatenated([-halves[1], halves[0]], axis: -1)
    return self * whole(cosine) + turned * whole(sine)
  }
}
