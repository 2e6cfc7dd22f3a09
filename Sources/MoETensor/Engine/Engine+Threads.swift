import CThreads
import CTorch
import Synchronization

/// Work on several threads, which wait for each other as `CThreads.h` says; so do libtorch's own on Linux.
extension Engine {
  /// Runs `body` concurrently for parts of `0..<count`, on the engine's threads.
  ///
  /// Where the parts begin and end differs from call to call: threads take a part when they are ready for it.
  ///
  /// - Parameters:
  ///   - count: Pieces of work.
  ///   - grain: The fewest pieces for which an extra thread pays off.
  ///   - body: Processes the pieces of a range; must not write what another range reads or writes.
  package static func parallel(_ count: Int, grain: Int, _ body: (Range<Int>) -> Void) {
    withoutActuallyEscaping(body) { body in
      unsafe withUnsafePointer(to: body) { pointer in
        let context = unsafe UnsafeMutableRawPointer(mutating: pointer)
        unsafe cthreads_share(
          Int64(count), Int64(max(1, grain)), CInt(clamping: threadCount), context
        ) { context, begin, end in
          unsafe context?.assumingMemoryBound(to: ((Range<Int>) -> Void).self).pointee(
            Int(begin)..<Int(end))
        }
      }
    }
  }

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
    run(members: min(count, threadCount, processorCount)) {
      // A thread that comes late needs no memory.
      guard next.load(ordering: .relaxed) < count else { return }
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: scratch, alignment: 64)
      defer { unsafe memory.deallocate() }
      while case let piece = next.wrappingAdd(1, ordering: .relaxed).oldValue, piece < count {
        unsafe body(piece, memory.baseAddress)
      }
    }
  }

  /// Runs `body` as often as there are members, concurrently where threads are ready.
  private static func run(members: Int, _ body: () -> Void) {
    withoutActuallyEscaping(body) { body in
      unsafe withUnsafePointer(to: body) { pointer in
        let context = unsafe UnsafeMutableRawPointer(mutating: pointer)
        unsafe cthreads_run(CInt(clamping: members), context) { context, _ in
          unsafe context?.assumingMemoryBound(to: (() -> Void).self).pointee()
        }
      }
    }
  }

  /// The number of processors that this process may use.
  public static var processorCount: Int { Int(cthreads_processor_count()) }
}
