import CKernels
import MoECore

extension Tensor {
  /// The fewest multiplications for which an extra thread pays off.
  private static let smallestPart = 1 << 19

  /// `x · weightᵀ + bias` in f32 or bf16 by a custom kernel, for the rows of a single text or
  /// prompt.
  ///
  /// The sums of a row do not depend on the other rows.
  ///
  /// - Parameters:
  ///   - weight: Shape `[outputs, inputs]`.
  ///   - bias: Shape `[outputs]`.
  /// - Returns: Shape `[…, outputs]`, or `nil` if the kernel does not apply: gradients are
  ///   recorded, or types or the memory layout differ.
  func packedRowsLinear(_ weight: Tensor, bias: Tensor?) -> Tensor? {
    let shape = self.shape
    guard let inputs = shape.last, inputs > 0, count > 0, weight.rank == 2,
      weight.size(1) == inputs, Tensor.suitKernels([self, weight] + (bias.map { [$0] } ?? []))
    else { return nil }
    let (rows, outputs) = (count / inputs, weight.size(0))
    let isNarrow = dtype == .bf16
    let kernels = Engine.kernels
    guard bias.map({ $0.shape == [outputs] }) ?? true,
      !isNarrow || !kernels.multipliesBF16 || inputs.isMultiple(of: 2)
    else { return nil }
    let input = contiguous()
    let result = Tensor.uninitialized(shape.dropLast() + [outputs], dtype: dtype)
    guard let x = unsafe input.hostElements, let w = unsafe weight.hostElements,
      let y = unsafe result.freshElements
    else { return nil }
    let offsets = unsafe bias?.hostElements
    guard unsafe bias == nil || offsets != nil else { return nil }
    var work = unsafe ckernels_linear(
      narrow: isNarrow, rows: rows, inputs: inputs, outputs: outputs, x: x, weight: w,
      bias: offsets, packed: nil, result: y)
    let packed = unsafe Tensor.uninitialized(
      [kernels.functions.linear_packed_count(&work)], dtype: .f32)
    defer { extendLifetime((input, weight, bias, result, packed)) }
    unsafe work.packed = packed.freshElements?.assumingMemoryBound(to: Float.self)
    unsafe kernels.functions.linear_pack(&work)
    let width = kernels.width
    let grain = Swift.max(1, Self.smallestPart / (rows * inputs * width))
    unsafe withUnsafePointer(to: work) { work in
      Engine.parallel((outputs + width - 1) / width, grain: grain) { part in
        unsafe kernels.functions.linear_outputs(work, part.lowerBound, part.upperBound)
      }
    }
    return result
  }
}
