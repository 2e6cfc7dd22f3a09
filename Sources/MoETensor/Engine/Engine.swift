import CTorch

/// Settings and properties of the tensor engine, libtorch.
public enum Engine {
  /// The number of threads that one operation may use.
  ///
  /// The default is `OMP_NUM_THREADS` or, without that, the number of processors that this process
  /// may use. Threads that find no free processor are not waited for, but ranks that share a machine
  /// do best with one thread each.
  ///
  /// - Precondition: A new value is at least 1.
  public static var threadCount: Int {
    get { Int(ctorch_thread_count()) }
    set {
      precondition(newValue >= 1, "a thread count of \(newValue); it must be at least 1")
      _ = ctorch_set_thread_count(CInt(clamping: newValue))
    }
  }

  /// Keeps freed memory for later tensors, instead of returning it to the system and requesting it
  /// again.
  ///
  /// The system zeroes every page that it hands out, which otherwise took most of the time of a
  /// training step. The process then keeps its peak memory. Only for programs, which own their
  /// process; call it first. It has no effect if the C library lacks such a setting.
  public static func keepFreedMemory() { ctorch_keep_freed_memory() }

  /// Returns the largest blocks of memory to the system when they are freed, and keeps all others.
  ///
  /// For long work whose blocks have many sizes: what lives on between them would leave gaps in which the next large one
  /// finds no place, and the memory of the process would grow without end.
  public static func returnLargeBlocks() { ctorch_map_large_blocks(16 << 20) }

  /// libtorch's version, for example `2.13.0`.
  public static var version: String { unsafe String(cString: ctorch_version()) }

  /// The instruction set that libtorch's own kernels use on this processor, for example `AVX512`.
  public static var kernelInstructionSet: String {
    unsafe String(cString: ctorch_kernel_instruction_set())
  }

  /// This processor's instruction set extensions that matter for matrix products.
  public static var processorFeatures: [String] {
    let features = ctorch_cpu_features()
    let known: [(String, Bool)] = [
      ("AVX2", features.avx2), ("AVX512", features.avx512),
      ("AVX512-VNNI", features.avx512_vnni), ("AVX512-BF16", features.avx512_bf16),
      ("AMX-TILE", features.amx_tile), ("AMX-INT8", features.amx_int8),
    ]
    return known.filter(\.1).map(\.0)
  }

  /// The number of live tensors over all threads, for tests of memory use.
  package static var liveTensorCount: Int { Int(ctorch_live_tensors()) }

  /// The message of this thread's last failure.
  static var lastError: String { unsafe String(cString: ctorch_last_error()) }
}
