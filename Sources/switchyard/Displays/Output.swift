import Foundation
import MoECore

/// Standard output, with errors that are not ignored.
enum Output {
  struct Failed: Error, CustomStringConvertible {
    var code: Int32
    var description: String {
      unsafe "cannot write to standard output: \(String(cString: strerror(code))); send it elsewhere"
    }
  }

  /// A terminal obeys control characters, wherever a text or a table comes from.
  private static let isTerminal = isatty(STDOUT_FILENO) == 1
  nonisolated(unsafe) private static var failure: Int32?
  /// Captured output, if capturing.
  nonisolated(unsafe) private static var kept: String?

  /// Captures the output of a command instead of writing it.
  ///
  /// - Precondition: Output is not being captured already.
  static func keeping(_ body: () throws -> Void) rethrows -> String {
    precondition(unsafe kept == nil, "output is already being captured")
    unsafe kept = ""
    defer { unsafe kept = nil }
    try body()
    return unsafe kept ?? ""
  }

  /// Writes a line to standard error, for people rather than programs.
  static func message(_ line: String) { StandardError.message(line) }

  /// Writes a line; a failure shows at the next ``flush()``.
  static func line(_ line: String) { text(line + "\n") }

  /// Writes a value as readable JSON with sorted keys.
  static func json(_ value: some Encodable) throws {
    text(try JSONText.pretty(value))
  }

  /// Writes text at once; a failure shows at the next ``flush()``.
  static func text(_ text: String) {
    if unsafe kept != nil {
      unsafe kept?.append(text)
      return
    }
    let bytes = Array((isTerminal ? text.printableOutput : text).utf8)
    var written = 0
    while written < bytes.count, unsafe failure == nil {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
        return unsafe write(STDOUT_FILENO, rest.baseAddress, rest.count)
      }
      if count >= 0 { written += count } else if errno != EINTR { unsafe failure = errno }
    }
  }

  /// Throws if any output could not be written.
  static func flush() throws {
    if let code = unsafe failure {
      // The reader of a pipe went away, as 'head' does: no fault, and nobody to tell.
      if code == EPIPE { Interruption.end(by: SIGPIPE) }
      unsafe failure = nil
      throw Failed(code: code)
    }
  }
}
