import CKernels
import MoECore

extension Tensor {
  /// The most rows for which reading a weight in place beats repacking it for a general product.
  private static let mostRows = 192
  /// The fewest multiplications; below, the general product has less overhead.
  private static let leastMultiplications = 1 << 16
  /// The fewest multiplications for which an extra thread pays off.
  private static let smallestPart = 1 << 19

  /// `x · weightᵀ + bias` in f32 by a custom kernel, for the few rows of a single text or a short
  /// prompt.
  ///
  /// The sums of a row do not depend on the other rows.
  ///
  /// - Parameters:
  ///   - weight: Shape `[outputs, inputs]`.
  ///   - bias: Shape `[outputs]`.
  /// - Returns: Shape `[…, outputs]`, or `nil` if the kernel does not apply: gradients are
  ///   recorded, there are many rows, or the memory layout differs.
  func fewRowsLinear(_ weight: Tensor, bias: Tensor?) -> Tensor? {
    let shape = self.shape
    guard let inputs = shape.last, inputs > 0, dtype == .f32, weight.rank == 2,
      weight.size(1) == inputs, 2...Self.mostRows ~= count / inputs
    else { return nil }
    let (rows, outputs) = (count / inputs, weight.size(0))
    guard rows * inputs * outputs >= Self.leastMultiplications,
      Tensor.suitKernels([self, weight] + (bias.map { [$0] } ?? [])),
      bias.map({ $0.shape == [outputs] }) ?? true
    else { return nil }
    let input = contiguous()
    let result = Tensor.uninitialized(shape.dropLast() + [outputs], dtype: .f32)
    guard let x = unsafe input.hostElements, let w = unsafe weight.hostElements,
      let y = unsafe result.freshElements
    else { return nil }
    let offsets = unsafe bias?.hostElements
    guard unsafe bias == nil || offsets != nil else { return nil }
    var work = unsafe ckernels_linear(
      rows: rows, inputs: inputs, outputs: outputs, x: x.assumingMemoryBound(to: Float.self),
      weight: w.assumingMemoryBound(to: Float.self),
      bias: offsets?.assumingMemoryBound(to: Float.self), packed: nil,
      result: y.assumingMemoryBound(to: Float.self))
    let packed = unsafe Tensor.uninitialized([ckernels_linear_packed_count(&work)], dtype: .f32)
    defer { extendLifetime((input, weight, bias, result, packed)) }
    unsafe work.packed = packed.freshElements?.assumingMemoryBound(to: Float.self)
    unsafe ckernels_linear_pack(&work)
    let grain = Swift.max(1, Self.smallestPart / (rows * inputs * 16))
    unsafe withUnsafePointer(to: work) { work in
      Engine.parallel((outputs + 15) / 16, grain: grain) { part in
        unsafe ckernels_linear_outputs(work, part.lowerBound, part.upperBound)
      }
    }
    return result
  }
}
