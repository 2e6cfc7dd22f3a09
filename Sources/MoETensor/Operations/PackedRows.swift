import CKernels
import MoECore

extension Tensor {
  /// The fewest multiplications for which an extra thread pays off.
  private static let smallestPart = 1 << 19

  /// `x · weightᵀ + bias` in f32 or bf16 by a custom kernel, which packs the rows and reads weights in place.
  ///
  /// The sums of a row do not depend on the other rows.
  ///
  /// - Parameters:
  ///   - weight: Shape `[outputs, inputs]`.
  ///   - bias: Shape `[outputs]`.
  /// - Returns: Shape `[…, outputs]`, or `nil` if the kernel does not apply: gradients are
  ///   recorded, types or the memory layout differ, or bf16 rows of an odd length would have to be multiplied in pairs.
  func packedRowsLinear(_ weight: Tensor, bias: Tensor?) -> Tensor? {
    let kernels = Engine.kernels
    guard let layer = KernelLinear(self, weight, bias),
      dtype != .bf16 || !kernels.multipliesBF16 || layer.inputs.isMultiple(of: 2)
    else { return nil }
    let width = kernels.width
    return unsafe layer.run { work in
      let packed = unsafe Tensor.uninitialized(
        [kernels.functions.linear_packed_count(work)], dtype: .f32)
      defer { extendLifetime(packed) }
      unsafe work.pointee.packed = packed.freshFloats
      let vectors = (layer.rows + width - 1) / width
      Engine.parallel(vectors, grain: Self.rowGrain(width: layer.inputs * width)) { part in
        unsafe kernels.functions.linear_pack(work, part.lowerBound, part.upperBound)
      }
      let grain = Self.smallestPart / (layer.rows * layer.inputs * width)
      Engine.parallel((layer.outputs + width - 1) / width, grain: grain) { part in
        unsafe kernels.functions.linear_outputs(work, part.lowerBound, part.upperBound)
      }
    }
  }
}
