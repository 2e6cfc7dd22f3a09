/// The time at which a search has to end.
struct Deadline {
  private let end: ContinuousClock.Instant?

  /// A number of seconds from now; infinity for no deadline.
  init(seconds: Double) {
    end = seconds < 1e9 ? .now + .seconds(seconds) : nil
  }

  var isOver: Bool { end.map { .now >= $0 } ?? false }

  /// The remaining seconds.
  var remaining: Double {
    end.map { max(0, (($0 - .now) / .seconds(1))) } ?? .infinity
  }
}
