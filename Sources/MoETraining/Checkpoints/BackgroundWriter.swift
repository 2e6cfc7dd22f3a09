import MoERouting
import MoETensor
import Dispatch
import Synchronization

#if os(Linux)
import Glibc
#endif

/// Writes files one after another while training continues.
final class BackgroundWriter: Sendable {
  private let queue = DispatchQueue(label: "switchyard.checkpoints")
  private let failure = Mutex<(any Error)?>(nil)

  /// Starts a write, after those that were started before.
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

  /// Gives the training threads priority: they wait for one another, so time that one of them loses
  /// is lost for all.
  private static func yieldToTraining() {
    #if os(Linux)
    // On Linux the priority belongs to the thread, and 0 means the calling one.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
    #endif
  }

  /// Throws the error of a failed write, if there is one.
  func check() throws {
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// Waits until everything is written.
  ///
  /// - Throws: The error of a failed write, if there is one.
  func wait() throws {
    queue.sync {}
    try check()
  }
}

/// Tensors for another thread that only reads them.
///
/// Safe because each tensor is a separate handle to elements that do not change: code that changes
/// a weight in place notices that its elements are shared and copies them first.
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
