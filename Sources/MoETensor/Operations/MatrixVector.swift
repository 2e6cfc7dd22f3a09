import CKernels
import MoECore

extension Tensor {
  /// `weight · row` by a custom kernel, for the single rows of text generation.
  ///
  /// libtorch passes such products to a library whose generic kernel for processors of other
  /// vendors reads weights several times slower than memory allows.
  ///
  /// - Parameters:
  ///   - row: One row, shape `[…, inputs]` with leading axes of size 1, f32 or bf16.
  ///   - weight: Shape `[outputs, inputs]`, of the same type.
  /// - Returns: Shape `[…, outputs]`, or `nil` if the kernel does not apply: gradients are
  ///   recorded, there are several rows, or the memory layout differs.
  static func matrixVectorProduct(_ row: Tensor, _ weight: Tensor) -> Tensor? {
    guard row.count > 0, weight.rank == 2, row.count == weight.size(1), row.size(-1) == row.count
    else { return nil }
    let dtype = row.dtype
    guard dtype == .f32 || dtype == .bf16, weight.dtype == dtype,
      !Tensor.recordsGradients([row, weight])
    else { return nil }
    // Only contiguous tensors on the CPU have an address here.
    guard let x = unsafe row.hostElements, let w = unsafe weight.hostElements else { return nil }
    let (rows, columns) = (weight.size(0), weight.size(1))
    let result = uninitialized(Array(row.shape.dropLast()) + [rows], dtype: dtype)
    guard let y = unsafe result.freshElements else { return nil }
    defer { extendLifetime((row, weight, result)) }
    let work = unsafe MatrixVectorWork(
      weight: w, row: x, result: y, columns: columns, isNarrow: dtype == .bf16)
    let grain = unsafe Swift.max(1, MatrixVectorWork.smallestPart / (columns * dtype.byteSize))
    Engine.parallel(rows, grain: grain) { unsafe work.run($0) }
    return result
  }
}

/// The work shared by all threads of a product.
@unsafe private struct MatrixVectorWork {
  /// The fewest bytes of weights for which an extra thread pays off.
  static let smallestPart = 128 << 10

  let weight: UnsafeRawPointer
  let row: UnsafeRawPointer
  let result: UnsafeMutableRawPointer
  let columns: Int
  let isNarrow: Bool

  func run(_ rows: Range<Int>) {
    let start = rows.lowerBound
    if unsafe isNarrow {
      unsafe Engine.kernels.functions.matrix_vector_bf16(
        weight.assumingMemoryBound(to: UInt16.self) + start * columns,
        row.assumingMemoryBound(to: UInt16.self),
        result.assumingMemoryBound(to: UInt16.self) + start, rows.count, columns)
    } else {
      unsafe Engine.kernels.functions.matrix_vector_f32(
        weight.assumingMemoryBound(to: Float.self) + start * columns,
        row.assumingMemoryBound(to: Float.self),
        result.assumingMemoryBound(to: Float.self) + start, rows.count, columns)
    }
  }
}
