import CTorch
import MoECore

extension Tensor {
  /// Whether custom kernels can process these tensors: all of one supported type, on the CPU,
  /// without recording for gradients.
  package static func suitKernels(_ tensors: [Tensor]) -> Bool {
    haveKernelTypes(tensors) && !recordsGradients(tensors)
  }

  /// Whether tensors are all of one type that custom kernels support, on the CPU.
  static func haveKernelTypes(_ tensors: [Tensor]) -> Bool {
    guard let dtype = tensors.first?.dtype, dtype == .f32 || dtype == .bf16 else { return false }
    return tensors.allSatisfy { $0.dtype == dtype && $0.device == .cpu }
  }

  /// The fewest rows of a row-wise function for which an extra thread pays off.
  static func rowGrain(width: Int) -> Int { Swift.max(1, (1 << 14) / Swift.max(1, width)) }

  /// The first element of a tensor on the CPU and the strides in elements of each axis.
  package var stridedElements: (start: UnsafeRawPointer, strides: [Int])? {
    var start: UnsafeRawPointer?
    let rank = self.rank
    let strides = unsafe [Int](unsafeUninitializedCapacity: rank) { buffer, count in
      unsafe buffer.withMemoryRebound(to: Int64.self) {
        let strides = $0.baseAddress
        unsafe start = withHandle { unsafe ctorch_tensor_strided_elements($0, strides) }
      }
      count = unsafe start == nil ? 0 : rank
    }
    return unsafe start.map { unsafe ($0, strides) }
  }

  /// The first element of a contiguous tensor on the CPU, `nil` for any other; the caller keeps the
  /// tensor alive while it uses the address.
  package var hostElements: UnsafeRawPointer? {
    unsafe withHandle { unsafe ctorch_tensor_elements($0) }
  }

  /// The first element of a contiguous f32 tensor on the CPU.
  package var floats: UnsafePointer<Float>? {
    unsafe hostElements?.assumingMemoryBound(to: Float.self)
  }

  /// The same for a tensor that the caller has just created and not shared.
  package var freshFloats: UnsafeMutablePointer<Float>? {
    unsafe freshElements?.assumingMemoryBound(to: Float.self)
  }

  /// The same as `hostElements` for a tensor that the caller has just created and not shared.
  package var freshElements: UnsafeMutableRawPointer? {
    unsafe hostElements.map { unsafe UnsafeMutableRawPointer(mutating: $0) }
  }
}
