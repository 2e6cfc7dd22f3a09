import CKernels
import CTorch
import MoECore
import Synchronization

/// Support for custom kernels: threads and the addresses of elements.
extension Engine {
  /// Runs `body` concurrently for parts of `0..<count`, on the engine's threads.
  ///
  /// - Parameters:
  ///   - count: Pieces of work.
  ///   - grain: The fewest pieces for which an extra thread pays off.
  ///   - body: Processes the pieces of a range; must not write what another range reads or writes.
  package static func parallel(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    withoutActuallyEscaping(body) { body in
      unsafe withUnsafePointer(to: body) { pointer in
        let context = unsafe UnsafeMutableRawPointer(mutating: pointer)
        unsafe ctorch_parallel(Int64(count), Int64(max(1, grain)), context) { context, begin, end in
          unsafe context?.assumingMemoryBound(to: ((Range<Int>) -> Void).self).pointee(
            Int(begin)..<Int(end))
        }
      }
    }
  }
}

extension Engine {
  /// Runs `body` for every piece of `0..<count` on the engine's threads, scheduled dynamically, for
  /// pieces of unequal size.
  ///
  /// - Parameters:
  ///   - count: Pieces of work.
  ///   - scratch: Bytes of scratch memory per thread.
  ///   - body: Processes one piece; must not write what another piece reads or writes.
  package static func parallelPieces(
    _ count: Int, scratch: Int, _ body: (_ piece: Int, _ scratch: UnsafeMutableRawPointer?) -> Void
  ) {
    let next = Atomic(0)
    parallel(min(count, threadCount), grain: 1) { threads in
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: scratch, alignment: 64)
      defer { unsafe memory.deallocate() }
      // One thread may do the work of several if fewer could be started.
      for _ in threads {
        while case let piece = next.wrappingAdd(1, ordering: .relaxed).oldValue, piece < count {
          unsafe body(piece, memory.baseAddress)
        }
      }
    }
  }
}

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
