import MoERouting
import MoETensor
import Dispatch
import Synchronization

#if os(Linux)
import Glibc
#endif

/// Writes files while training goes on, one after another.
final class BackgroundWriter: Sendable {
  private let queue = DispatchQueue(label: "switchyard.checkpoints")
  private let failure = Mutex<(any Error)?>(nil)

  /// Begins to write, after what was begun before.
  func start(_ work: @escaping @Sendable () throws -> Void) {
    queue.async {
      Self.yieldToTraining()
      guard self.failure.withLock({ $0 == nil }) else { return }
      do {
        try work()
      } catch {
        self.failure.withLock { $0 = error }
      }
    }
  }

  /// Lets the threads that train go first: they wait for one another, so each moment that one of them loses is
  /// lost for all.
  private static func yieldToTraining() {
    #if os(Linux)
    // On Linux the priority belongs to the thread, and 0 means the calling one.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
    #endif
  }

  /// Throws what made a write fail, if one did.
  func check() throws {
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// Waits until all is written.
  ///
  /// - Throws: What made a write fail, if one did.
  func wait() throws {
    queue.sync {}
    try check()
  }
}

/// Tensors for another thread, which only reads them.
///
/// Safe because each is a handle of its own to elements that stay as they are: whoever changes a weight in place
/// notices that somebody else sees its elements and takes a copy.
struct HandedOver<Value>: @unchecked Sendable {
  let value: Value
  init(_ value: Value) { self.value = value }
}

extension LoopState {
  /// The state for another thread.
  func handedOver() -> HandedOver<LoopState> {
    func separate(_ tensors: [NamedTensor]) -> [NamedTensor] {
      tensors.map { NamedTensor(name: $0.name, tensor: $0.tensor.detached()) }
    }
    var copy = self
    (copy.model, copy.optimizer) = (separate(model), separate(optimizer))
    return HandedOver(copy)
  }
}
