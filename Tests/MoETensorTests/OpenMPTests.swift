#if os(Linux)
import CThreads
import Foundation
import MoETensor
import Synchronization
import Testing

/// The OpenMP functions that libtorch calls, on our threads.
@Suite("OpenMP's functions")
struct OpenMPTests {
  /// What the members of a region do: counts how often each number comes up.
  final class Counts: Sendable {
    private let counts: Mutex<[Int: Int]> = Mutex([:])

    func add(_ number: Int) { counts.withLock { $0[number, default: 0] += 1 } }

    var all: [Int: Int] { counts.withLock { $0 } }
  }

  /// Runs `body` in a region, as a compiler would.
  private static func region(_ threads: Int, _ body: @escaping @Sendable () -> Void) {
    unsafe withUnsafePointer(to: body) {
      unsafe GOMP_parallel(
        { unsafe $0?.assumingMemoryBound(to: (@Sendable () -> Void).self).pointee() },
        UnsafeMutableRawPointer(mutating: $0), UInt32(threads), 0)
    }
  }

  private static let threadCounts = [1, 2, 3, 7]

  private static func once(_ numbers: Range<Int>) -> [Int: Int] {
    Dictionary(uniqueKeysWithValues: numbers.map { ($0, 1) })
  }

  @Test("number the members of a region", arguments: threadCounts)
  func members(threads: Int) {
    let (counts, inside) = (Counts(), Counts())
    Self.region(threads) {
      counts.add(Int(omp_get_thread_num()))
      inside.add(Int(omp_get_num_threads()) * 10 + Int(omp_in_parallel()))
    }
    #expect(counts.all == Self.once(0..<threads))
    #expect(inside.all == [threads * 10 + (threads > 1 ? 1 : 0): threads])
    #expect(omp_in_parallel() == 0 && omp_get_num_threads() == 1 && omp_get_thread_num() == 0)
  }

  @Test("give nested regions one member", arguments: threadCounts)
  func nested(threads: Int) {
    let counts = Counts()
    Self.region(threads) {
      let number = omp_get_thread_num()
      Self.region(3) {
        counts.add(Int(omp_get_num_threads()) * 10 + Int(omp_get_thread_num()))
      }
      precondition(omp_get_thread_num() == number)
    }
    let expected = threads == 1 ? [30: 1, 31: 1, 32: 1] : [10: threads]
    #expect(counts.all == expected)
  }

  @Test("keep the number of threads for each thread, and for members")
  func settings() async {
    await #expect(processExitsWith: .success) {
      let initial = omp_get_max_threads()
      omp_set_num_threads(3)
      let counts = Counts()
      Self.region(0) {
        counts.add(Int(omp_get_max_threads()))
        // Only for this member.
        omp_set_num_threads(5)
        precondition(omp_get_max_threads() == 5)
      }
      precondition(counts.all == [3: 3])
      precondition(omp_get_max_threads() == 3)
      let other = Thread { precondition(omp_get_max_threads() == initial) }
      other.start()
      while !other.isFinished { usleep(1000) }
    }
  }

  @Test("let nobody pass a barrier before all have come", arguments: threadCounts)
  func barrier(threads: Int) {
    let arrived = Atomic(0)
    Self.region(threads) {
      for round in 1...100 {
        arrived.add(1, ordering: .relaxed)
        GOMP_barrier()
        precondition(arrived.load(ordering: .relaxed) == round * threads)
        GOMP_barrier()
      }
    }
    #expect(arrived.load(ordering: .relaxed) == 100 * threads)
  }

  /// A schedule of loops; its functions return a part of the iterations.
  enum Loop: String, CaseIterable {
    case fixed, dynamic, guided, freeDynamic, freeGuided, orderedDynamic

    func start(_ start: Int, _ end: Int, _ step: Int, chunk: Int) -> (first: Int, last: Int)? {
      var (first, last) = (0, 0)
      let found =
        switch self {
        case .fixed: unsafe GOMP_loop_static_start(start, end, step, chunk, &first, &last)
        case .dynamic: unsafe GOMP_loop_dynamic_start(start, end, step, chunk, &first, &last)
        case .guided: unsafe GOMP_loop_guided_start(start, end, step, chunk, &first, &last)
        case .freeDynamic:
          unsafe GOMP_loop_nonmonotonic_dynamic_start(start, end, step, chunk, &first, &last)
        case .freeGuided:
          unsafe GOMP_loop_nonmonotonic_guided_start(start, end, step, chunk, &first, &last)
        case .orderedDynamic:
          unsafe GOMP_loop_ordered_dynamic_start(start, end, step, chunk, &first, &last)
        }
      return found ? (first, last) : nil
    }

    func next() -> (first: Int, last: Int)? {
      var (first, last) = (0, 0)
      let found =
        switch self {
        case .fixed: unsafe GOMP_loop_static_next(&first, &last)
        case .dynamic: unsafe GOMP_loop_dynamic_next(&first, &last)
        case .guided: unsafe GOMP_loop_guided_next(&first, &last)
        case .freeDynamic: unsafe GOMP_loop_nonmonotonic_dynamic_next(&first, &last)
        case .freeGuided: unsafe GOMP_loop_nonmonotonic_guided_next(&first, &last)
        case .orderedDynamic: unsafe GOMP_loop_ordered_dynamic_next(&first, &last)
        }
      return found ? (first, last) : nil
    }
  }

  @Test("do every iteration of a loop once", arguments: Loop.allCases, threadCounts)
  func loop(_ loop: Loop, threads: Int) {
    for (start, end, step) in [
      (0, 100, 1), (0, 0, 1), (5, 3, 1), (3, 104, 7), (100, 0, -1), (10, -95, -7), (0, 1, 5),
    ] {
      for chunk in [0, 1, 3, 1000] {
        let counts = Counts()
        // Two loops that follow each other without a barrier, and one with.
        Self.region(threads) {
          for pass in 0..<3 {
            var part = loop.start(start, end, step, chunk: chunk)
            while let (first, last) = part {
              for number in stride(from: first, to: last, by: step) { counts.add(number) }
              part = loop.next()
            }
            if pass == 1 { GOMP_loop_end() } else { GOMP_loop_end_nowait() }
          }
        }
        let expected = stride(from: start, to: end, by: step).map { ($0, 3) }
        #expect(
          counts.all == Dictionary(uniqueKeysWithValues: expected),
          "from \(start) to \(end) by \(step) in chunks of \(chunk)")
      }
    }
  }

  @Test("run ordered blocks in the order of iterations", arguments: threadCounts, [1, 4])
  func ordered(threads: Int, chunk: Int) {
    let order = Mutex<[Int]>([])
    Self.region(threads) {
      var (first, last) = (0, 0)
      var found = unsafe GOMP_loop_ordered_dynamic_start(0, 200, 1, chunk, &first, &last)
      while found {
        for number in first..<last where number % 3 != 0 {
          GOMP_ordered_start()
          order.withLock { $0.append(number) }
          GOMP_ordered_end()
        }
        found = unsafe GOMP_loop_ordered_dynamic_next(&first, &last)
      }
      GOMP_loop_end_nowait()
    }
    #expect(order.withLock { $0 } == (0..<200).filter { $0 % 3 != 0 })
  }

  @Test("run every section once, with and without a barrier", arguments: threadCounts)
  func sections(threads: Int) {
    let counts = Counts()
    Self.region(threads) {
      for pass in 0..<2 {
        var section = GOMP_sections_start(5)
        while section != 0 {
          counts.add(Int(section))
          section = GOMP_sections_next()
        }
        if pass == 0 { GOMP_sections_end() } else { GOMP_sections_end_nowait() }
      }
    }
    #expect(counts.all == [1: 2, 2: 2, 3: 2, 4: 2, 5: 2])
  }

  @Test("let one member do what is single", arguments: threadCounts)
  func single(threads: Int) {
    let counts = Counts()
    Self.region(threads) {
      for number in 0..<50 where GOMP_single_start() { counts.add(number) }
    }
    #expect(counts.all == Self.once(0..<50))
  }

  @Test("let one thread at a time into critical blocks", arguments: 0..<3)
  func critical(kind: Int) {
    nonisolated(unsafe) var sum = 0
    nonisolated(unsafe) let name = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(
      capacity: 1)
    unsafe name.initialize(to: nil)
    defer { unsafe name.deallocate() }
    Self.region(4) {
      for _ in 0..<1000 {
        switch kind {
        case 0: GOMP_critical_start()
        case 1: unsafe GOMP_critical_name_start(name)
        default: GOMP_atomic_start()
        }
        unsafe sum += 1
        switch kind {
        case 0: GOMP_critical_end()
        case 1: unsafe GOMP_critical_name_end(name)
        default: GOMP_atomic_end()
        }
      }
    }
    unsafe #expect(sum == 4000)
  }

  @Test("work outside of regions")
  func outside() {
    let counts = Counts()
    var (first, last) = (0, 0)
    var found = unsafe GOMP_loop_dynamic_start(0, 10, 1, 3, &first, &last)
    while found {
      for number in first..<last { counts.add(number) }
      found = unsafe GOMP_loop_dynamic_next(&first, &last)
    }
    GOMP_loop_end()
    GOMP_barrier()
    #expect(counts.all == Self.once(0..<10))
    #expect(GOMP_single_start())
  }

  @Test("finish barriers while processors are scarce, and members that spin for each other")
  func scarcity() async {
    await #expect(processExitsWith: .success) {
      cthreads_set_scarce(60_000_000_000)
      for threads in [2, 3, 5] {
        let arrived = Atomic(0)
        Self.region(threads) {
          for round in 1...20 {
            arrived.add(1, ordering: .relaxed)
            GOMP_barrier()
            precondition(arrived.load(ordering: .relaxed) == round * threads)
            GOMP_barrier()
          }
        }
        for _ in 0..<5 {
          let waiting = Atomic(0)
          Self.region(threads) {
            waiting.add(1, ordering: .relaxed)
            while waiting.load(ordering: .relaxed) < threads { sched_yield() }
          }
        }
      }
    }
  }

  @Test("are those that libtorch calls, all of them")
  func binding() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let header = try String(
      contentsOf: root.appending(path: "Sources/CThreads/include/OpenMP.h"), encoding: .utf8)
    let names = header.matches(of: /\b((?:GOMP|omp)_\w+)\(/).map { String($0.1) }
    #expect(names.count > 30)
    let library = unsafe dlopen("libgomp.so.1", RTLD_NOW | RTLD_NOLOAD)
    unsafe #expect(library != nil)
    for name in names {
      // What libtorch's calls are bound to is the first of a name.
      let first = unsafe Int(bitPattern: dlsym(nil, name))
      let other = unsafe Int(bitPattern: dlsym(library, name))
      #expect(first != 0 && first != other, "\(name) is not the program's")
    }
    // What the libraries import, by the program that lists it, where there is one.
    let libraries = root.appending(path: ".deps/torch/lib/libtorch_cpu.so").path
    guard FileManager.default.isExecutableFile(atPath: "/usr/bin/nm") else { return }
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/nm")
    process.arguments = ["-D", "--undefined-only", libraries]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let text = String(
      decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    let imported = text.matches(of: /U ((?:GOMP|omp|__kmpc)_\w+)/).map { String($0.1) }
    #expect(imported.contains("GOMP_parallel"))
    #expect(Set(imported).subtracting(names) == [])
  }
}
#endif
