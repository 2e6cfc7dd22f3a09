import Dispatch
import Foundation
import MoECore

/// What happens when a user or the system interrupts the program.
enum Interruption {
  nonisolated(unsafe) private static var sources: [any DispatchSourceSignal] = []

  /// Removes half-written folders before an interrupted program ends, and turns two signals that end a program
  /// without a word into messages.
  static func install() {
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler {
        PartialFolders.removeAll()
        // The shell learns from the signal, not from an exit code, that the program was interrupted.
        signal(number, SIG_DFL)
        raise(number)
      }
      source.resume()
      unsafe sources.append(source)
    }
    // A write beyond a size limit then fails like any other.
    signal(SIGXFSZ, SIG_IGN)
    signal(SIGBUS) { _ in
      let message: StaticString =
        "Error: a file became shorter while it was being read; leave files alone while they are in use\n"
      _ = unsafe write(STDERR_FILENO, message.utf8Start, message.utf8CodeUnitCount)
      _exit(1)
    }
  }
}
