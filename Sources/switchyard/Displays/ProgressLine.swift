import Foundation
import MoECore

/// A line on the terminal that shows progress; nothing if standard error is not a terminal.
final class ProgressLine {
  private let isTerminal = StandardError.isTerminal
  private let showsTimeLeft: Bool
  private var shown = ""
  private var start: (time: Date, completed: Int)?

  /// Prepares the line.
  ///
  /// - Parameter showsTimeLeft: Whether to estimate when all is done; for work whose units take about equally long.
  init(showsTimeLeft: Bool = false) { self.showsTimeLeft = showsTimeLeft }

  func show(_ progress: MoECore.Progress) {
    guard isTerminal, progress.total > 0 else { return }
    let percent = progress.completed * 100 / progress.total
    let line =
      "\(progress.activity): \(percent) %" + (timeLeft(progress).map { ", \($0) left" } ?? "")
    guard line != shown else { return }
    shown = line
    StandardError.redraw(line)
  }

  func end() {
    if isTerminal, !shown.isEmpty { StandardError.redraw() }
    (shown, start) = ("", nil)
  }

  /// Seconds without which an estimate would jump.
  private static let leastSeconds = 3.0

  /// The time that the rest takes if it goes on as since the first report.
  private func timeLeft(_ progress: MoECore.Progress) -> String? {
    guard showsTimeLeft else { return nil }
    guard let start else {
      start = (Date(), progress.completed)
      return nil
    }
    let (seconds, done) = (
      Date().timeIntervalSince(start.time), progress.completed - start.completed
    )
    guard seconds >= Self.leastSeconds, done > 0 else { return nil }
    return Self.text(seconds * Double(progress.total - progress.completed) / Double(done))
  }

  /// A duration, in one or two units.
  static func text(_ seconds: Double) -> String {
    let seconds = Int(seconds.rounded(.up))
    switch seconds {
    case ..<90: return "\(seconds) s"
    case ..<5_400: return "\((seconds + 59) / 60) min"
    default: return "\(seconds / 3_600) h \(seconds % 3_600 / 60) min"
    }
  }
}
