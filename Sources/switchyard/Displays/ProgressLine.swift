import MoECore

/// A line on the terminal that shows progress; nothing if standard error is not a terminal.
final class ProgressLine {
  private let isTerminal = StandardError.isTerminal
  private var shown = -1

  func show(_ progress: MoECore.Progress) {
    guard isTerminal, progress.total > 0 else { return }
    let percent = progress.completed * 100 / progress.total
    guard percent != shown else { return }
    shown = percent
    StandardError.redraw("\(progress.activity): \(percent) %")
  }

  func end() {
    if isTerminal, shown >= 0 { StandardError.redraw() }
  }
}
