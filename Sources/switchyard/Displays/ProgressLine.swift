import Foundation
import MoECore

/// A line on the terminal that shows progress; nothing if standard error is not a terminal.
final class ProgressLine {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var shown = -1

  func show(_ progress: MoECore.Progress) {
    guard isTerminal, progress.total > 0 else { return }
    let percent = progress.completed * 100 / progress.total
    guard percent != shown else { return }
    shown = percent
    write("\r\(progress.activity): \(percent) %\u{1B}[K")
  }

  func end() {
    if isTerminal, shown >= 0 { write("\r\u{1B}[K") }
  }

  private func write(_ text: String) {
    FileHandle.standardError.write(Data(text.utf8))
  }
}
