import CTorch

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

extension Tensor {
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
