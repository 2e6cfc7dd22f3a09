/// When a search has to end.
struct Deadline {
  private let end: ContinuousClock.Instant?

  /// Some seconds from now; infinitely many for never.
  init(seconds: Double) {
    end = seconds < 1e9 ? .now + .seconds(seconds) : nil
  }

  var isOver: Bool { end.map { .now >= $0 } ?? false }

  /// Seconds that are left.
  var remaining: Double {
    end.map { max(0, (($0 - .now) / .seconds(1))) } ?? .infinity
  }
}
