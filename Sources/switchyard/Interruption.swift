import Dispatch
import Foundation
import MoECore
import Synchronization

/// What happens when a user or the system interrupts the program.
enum Interruption {
  nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []
  private static let isDeferred = Atomic(false)
  private static let first = Atomic<Int32>(0)
  private static let farewell = Mutex<String?>(nil)

  /// Whether the program was requested to end since ``deferFirst()``.
  static var isRequested: Bool { first.load(ordering: .relaxed) != 0 }

  /// From now on the first signal only sets ``isRequested``, so that work can end cleanly; the
  /// second one ends the program as usual.
  static func deferFirst() { isDeferred.store(true, ordering: .relaxed) }

  /// From now on the first signal ends the program again; a deferred one ends it now.
  static func deferNoMore() {
    isDeferred.store(false, ordering: .relaxed)
    endAsRequested()
  }

  /// The message that is shown when a signal ends the program.
  static func announce(_ text: String) { farewell.withLock { $0 = text } }

  /// Ends the program by the deferred signal, so that the shell sees it.
  static func endAsRequested() {
    let number = first.load(ordering: .relaxed)
    if number != 0 { end(number) }
  }

  /// Removes half-written folders before an interrupted program ends, and turns two signals that
  /// would end the program silently into messages.
  static func install() {
    for number in [SIGINT, SIGTERM, SIGHUP] {
      let former = signal(number, SIG_IGN)
      // nohup starts programs so that a terminal that goes away does not end them.
      if number == SIGHUP, isIgnoring(former) { continue }
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        if isDeferred.load(ordering: .relaxed),
          first.compareExchange(expected: 0, desired: number, ordering: .relaxed).exchanged
        {
          return
        }
        end(number)
      }
      source.resume()
      unsafe sources.append(source)
    }
    // A write beyond a size limit, or to a pipe that nobody reads, then fails like any other write.
    signal(SIGXFSZ, SIG_IGN)
    signal(SIGPIPE, SIG_IGN)
    signal(SIGBUS) { _ in
      let message: StaticString =
        "Error: a file became shorter while it was being read; do not change files while they are in use\n"
      _ = unsafe write(STDERR_FILENO, message.utf8Start, message.utf8CodeUnitCount)
      _exit(1)
    }
  }

  private static func isIgnoring(_ handler: (@convention(c) (Int32) -> Void)?) -> Bool {
    unsafe (unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self))
  }

  private static func end(_ number: Int32) {
    TemporaryPaths.endWork()
    if let text = farewell.withLock({ $0 }) { Output.message(text) }
    end(by: number)
  }

  /// Ends the program by a signal.
  ///
  /// The shell learns from the signal, not from an exit code, that the program was interrupted.
  static func end(by number: Int32) {
    signal(number, SIG_DFL)
    // The system's event loop may have blocked the signal in this thread.
    var set = sigset_t()
    unsafe sigemptyset(&set)
    unsafe sigaddset(&set, number)
    unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    raise(number)
  }
}
