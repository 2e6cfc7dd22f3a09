import CKernels
import CTorch
import MoECore
import Synchronization

/// What kernels of our own need: threads, and the elements' addresses.
extension Engine {
  /// Runs `body` for parts of `0..<count` at the same time, on the engine's threads.
  ///
  /// - Parameters:
  ///   - count: Pieces of work.
  ///   - grain: Pieces below which a thread of its own costs more than it saves.
  ///   - body: Does the pieces of a range; what it writes, no other range touches.
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
  /// Runs `body` for every piece of `0..<count` on the engine's threads, which take pieces as they come free:
  /// for pieces of unequal size.
  ///
  /// - Parameters:
  ///   - count: Pieces of work.
  ///   - scratch: Bytes of memory that each thread gets for itself.
  ///   - body: Does one piece; what it writes, no other piece touches.
  package static func parallelPieces(
    _ count: Int, scratch: Int, _ body: (_ piece: Int, _ scratch: UnsafeMutableRawPointer?) -> Void
  ) {
    let next = Atomic(0)
    parallel(min(count, threadCount), grain: 1) { threads in
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: scratch, alignment: 64)
      defer { unsafe memory.deallocate() }
      // A thread may stand for several, where fewer could be started.
      for _ in threads {
        while case let piece = next.wrappingAdd(1, ordering: .relaxed).oldValue, piece < count {
          unsafe body(piece, memory.baseAddress)
        }
      }
    }
  }

  /// Whether kernels for several rows run on this processor.
  package static let hasTileKernels = ckernels_has_tiles()
}

extension Tensor {
  /// Whether kernels of our own can work on these tensors: of one type that they know, on the CPU, without
  /// recording for gradients.
  package static func suitKernels(_ tensors: [Tensor]) -> Bool {
    guard Engine.hasTileKernels, let dtype = tensors.first?.dtype, dtype == .f32 || dtype == .bf16
    else { return false }
    return tensors.allSatisfy { $0.dtype == dtype && $0.device == .cpu }
      && !recordsGradients(tensors)
  }

  /// The first element of a tensor on the CPU and the distances in elements along each axis.
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

  /// The first element of a contiguous tensor on the CPU, `nil` for any other; the caller keeps the tensor
  /// alive as long as it uses the address.
  package var hostElements: UnsafeRawPointer? {
    unsafe withHandle { unsafe ctorch_tensor_elements($0) }
  }

  /// The same of a tensor that the caller just made and that nobody else sees.
  package var freshElements: UnsafeMutableRawPointer? {
    unsafe hostElements.map { unsafe UnsafeMutableRawPointer(mutating: $0) }
  }
}
