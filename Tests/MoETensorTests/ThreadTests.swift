import CThreads
import Foundation
import MoECore
import MoETensor
import Synchronization
import Testing

@Suite("threads")
struct ThreadTests {
  /// Runs `body` for each member of a region.
  private static func run(_ members: Int, _ body: (Int) -> Void) {
    withoutActuallyEscaping(body) { body in
      unsafe withUnsafePointer(to: body) {
        let context = unsafe UnsafeMutableRawPointer(mutating: $0)
        unsafe cthreads_run(CInt(members), context) { context, member in
          unsafe context?.assumingMemoryBound(to: ((Int) -> Void).self).pointee(Int(member))
        }
      }
    }
  }

  /// How often each of `0..<count` comes up in what `body` does.
  private static func counts(_ count: Int, _ body: ((Int) -> Void) -> Void) -> [Int] {
    let counts = Mutex([Int](repeating: 0, count: count))
    body { number in counts.withLock { $0[number] += 1 } }
    return counts.withLock { $0 }
  }

  private static func ones(_ count: Int) -> [Int] { [Int](repeating: 1, count: count) }

  @Test("run every member once", arguments: [0, 1, 2, 3, 16, 1000])
  func members(count: Int) {
    for _ in 0..<100 {
      #expect(Self.counts(count) { add in Self.run(count) { add($0) } } == Self.ones(count))
    }
  }

  @Test("cut ranges into parts that cover them, none much smaller than the grain")
  func shares() async {
    await #expect(processExitsWith: .success) {
      for threads in [1, 2, 3, 5] {
        Engine.threadCount = threads
        for (count, grain) in [(0, 1), (1, 1), (7, 1), (7, 3), (100, 16), (1000, 1), (1000, 999)] {
          let sizes = Mutex<[Int]>([])
          let counts = Self.counts(count) { add in
            Engine.parallel(count, grain: grain) { part in
              part.forEach(add)
              sizes.withLock { $0.append(part.count) }
            }
          }
          precondition(counts == Self.ones(count), "\(count) by \(grain)")
          let smallest = sizes.withLock { $0.min() } ?? grain
          precondition(smallest >= min(count, (grain + 1) / 2), "\(count) by \(grain): \(smallest)")
        }
      }
    }
  }

  @Test("overtake workers that are late")
  func late() async {
    await #expect(processExitsWith: .success) {
      #if os(Linux)
      // Regions of OpenMP leave a thread with more workers than it has processors.
      unsafe GOMP_parallel({ _ in GOMP_barrier() }, nil, 7, 0)
      #endif
      for _ in 0..<100 {
        cthreads_set_scarce(0)
        let begun = Atomic(0)
        let caller = pthread_self()
        let late = Self.counts(100) { add in
          Self.run(100) { member in
            add(member)
            begun.add(1, ordering: .relaxed)
            // Each worker stays with one member until the caller has begun all that are left.
            guard pthread_equal(pthread_self(), caller) == 0 else { return }
            while begun.load(ordering: .relaxed) < 100 { usleep(100) }
          }
        }
        precondition(late == Self.ones(100))
      }
    }
  }

  @Test("run nested regions on the same thread")
  func nested() {
    let counts = Self.counts(12) { add in
      Self.run(3) { outer in
        let thread = pthread_self()
        precondition(cthreads_is_inside())
        Self.run(4) { inner in
          precondition(pthread_equal(pthread_self(), thread) != 0)
          add(outer * 4 + inner)
        }
      }
    }
    #expect(counts == Self.ones(12) && !cthreads_is_inside())
  }

  @Test("serve several callers at once, whose threads end")
  func callers() {
    let finished = Atomic(0)
    let threads = (0..<8).map { _ in
      Thread {
        for _ in 0..<200 {
          let counts = Self.counts(5) { add in Self.run(5) { add($0) } }
          precondition(counts == Self.ones(5))
        }
        finished.add(1, ordering: .relaxed)
      }
    }
    threads.forEach { $0.start() }
    while !threads.allSatisfy(\.isFinished) { usleep(1000) }
    #expect(finished.load(ordering: .relaxed) == 8)
  }

  @Test("leave work to the caller while processors are scarce")
  func scarcity() async {
    await #expect(processExitsWith: .success) {
      cthreads_set_scarce(60_000_000_000)
      let caller = pthread_self()
      for _ in 0..<100 {
        Self.run(4) { _ in precondition(pthread_equal(pthread_self(), caller) != 0) }
      }
      precondition(cthreads_worker_runs() == 0)
      guard cthreads_processor_count() > 1 else { return }
      cthreads_set_scarce(0)
      // Some machine is too busy for this at times.
      for _ in 0..<100_000 where cthreads_worker_runs() == 0 { Self.run(4) { _ in usleep(10) } }
      precondition(cthreads_worker_runs() > 0)
    }
  }

  #if os(Linux)
  @Test("work in the child of a fork")
  func fork() async {
    await #expect(processExitsWith: .success) {
      Self.run(4) { _ in }
      typealias Fork = @convention(c) () -> Int32
      let fork = unsafe unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)
      let child = fork()
      if child == 0 {
        var counts = Self.counts(4) { add in Self.run(4) { add($0) } }
        counts += Self.counts(4) { add in Self.run(4) { add($0) } }
        _exit(counts == Self.ones(8) ? 0 : 1)
      }
      var status: Int32 = -1
      precondition(unsafe waitpid(child, &status, 0) == child && status == 0)
      Self.run(4) { _ in }
    }
  }
  #endif

  /// The bytes of products, sums and gradients, which libtorch splits by the number of threads.
  private static func step() throws -> [[Float]] {
    let source = RandomSource(seed: 3)
    let (x, weight) = (source.normal([37, 300]), source.normal([500, 300]))
    let result = try valueAndGradients(
      of: { (x.linear(weight, bias: nil).softmax(axis: 1) * x.matmul(weight.transposed())).sum() },
      for: [x, weight])
    return [result.value.reshaped([1])].map { $0.array(of: Float.self) }
      + result.gradients.map { $0.array(of: Float.self) }
  }

  @Test("compute the same bits whoever runs what", arguments: [1, 2, 3, 8])
  func bits(threads: Int) async {
    await #expect(processExitsWith: .success) { [threads] in
      Engine.threadCount = threads
      let first = try Self.step()
      for round in 0..<20 {
        cthreads_set_scarce(round % 2 == 0 ? 60_000_000_000 : 0)
        let again = try Self.step()
        precondition(again == first)
      }
      // Other numbers differ by rounding only.
      Engine.threadCount = 1
      for (one, other) in zip(try Self.step().joined(), first.joined()) {
        precondition(abs(one - other) <= 1e-3 * max(1, abs(one)))
      }
    }
  }
}
