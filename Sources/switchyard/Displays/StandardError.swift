import Foundation
import MoECore

/// Standard error, where people read messages; nobody may be there, so failures to write are ignored.
enum StandardError {
  /// Whether a person sees it.
  static let isTerminal = isatty(STDERR_FILENO) == 1

  /// Writes a message on lines of its own.
  ///
  /// Messages quote files, so what could steer a terminal is spelt out.
  static func message(_ text: String) { write(text.printableLines + "\n") }

  /// Writes how a command is used, after what is wrong with how it was; no line is longer than a help's.
  static func usage(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    message(lines.map { String($0).shortened(to: longest) }.joined(separator: "\n"))
  }

  /// Writes the message of a failure on one line, so that nothing in a file can look like another message.
  static func failure(_ text: String) {
    let line = text.split(separator: "\n").joined(separator: " ")
    write(line.shortened(to: longest).printable + "\n")
  }

  /// The longest message of a failure, in characters: values that come from files may have any length.
  private static let longest = 1_000

  /// Draws the line of the terminal that the cursor is in again; an empty text clears it.
  static func redraw(_ text: String = "") { write("\r\(text.printable)\u{1B}[K") }

  private static func write(_ text: String) {
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes { buffer in
        let rest = unsafe UnsafeRawBufferPointer(rebasing: buffer[written...])
        return unsafe Foundation.write(STDERR_FILENO, rest.baseAddress, rest.count)
      }
      if count > 0 { written += count } else if count == 0 || errno != EINTR { return }
    }
  }
}
