/// A piece of work that both sides do.
struct Comparison {
  /// A description of the work, for the table.
  var title: String
  /// Name in the peer's protocol.
  var peerName: String
  /// Samples per round.
  var iterations: Int
  /// Switchyard's side.
  var run: (_ iterations: Int) throws -> Measurement
  /// What Switchyard's side must reach, if there is a target.
  var bar: Bar?
}

/// A target for a measurement.
enum Bar {
  /// At most this fraction of the peer's time.
  case ratio(Double)
  /// At most this fraction of the peer's memory.
  case memory(Double)
  /// At most this fraction of the peer's time, and no more memory.
  case ratioAndMemory(Double)
  /// At most this time and this much added private memory.
  case absolute(seconds: Double, bytes: Int)

  func verdict(ours: Measurement, peers: Measurement, ratio: Double) -> String {
    switch self {
    case .ratio(let largest):
      "\(ratio <= largest ? "met" : "missed") (≤ \((largest * 100).rounded() / 100))"
    case .ratioAndMemory(let largest):
      Self.ratio(largest).verdict(ours: ours, peers: peers, ratio: ratio) + ", "
        + Self.memory(1).verdict(ours: ours, peers: peers, ratio: ratio)
    case .memory(let largest):
      Self.memory(Double(ours.bytes ?? .max) / Double(peers.bytes ?? 1), largest)
    case .absolute(let seconds, let bytes):
      ours.seconds <= seconds && ours.bytes ?? 0 <= bytes
        ? "met (≤ \(Int(seconds * 1000)) ms, \(bytes / 1_000_000) MB)"
        : "missed (≤ \(Int(seconds * 1000)) ms, \(bytes / 1_000_000) MB)"
    }
  }

  private static func memory(_ share: Double, _ largest: Double) -> String {
    "memory \((share * 1000).rounded() / 1000): \(share <= largest ? "met" : "missed") (≤ \(largest))"
  }
}

/// Medians of interleaved rounds.
struct ComparisonResult {
  var title: String
  var ours: Measurement
  var peers: Measurement
  /// Median of the rounds' ratios, Switchyard's time over the peer's.
  var ratio: Double
  var bar: Bar?

  /// Alternates both sides, so that changes in the machine's speed affect both.
  init(_ comparison: Comparison, peer: Peer, rounds: Int, threads: Int, path: String) throws {
    var (ours, peers): ([Measurement], [Measurement]) = ([], [])
    for _ in 0..<rounds {
      ours.append(try comparison.run(comparison.iterations))
      let answer = try peer.ask(
        .init(
          benchmark: comparison.peerName, iterations: comparison.iterations, threads: threads,
          path: path))
      peers.append(Measurement(seconds: answer.seconds, bytes: answer.bytes))
    }
    title = comparison.title
    bar = comparison.bar
    self.ours = Self.middle(ours)
    self.peers = Self.middle(peers)
    ratio = median(zip(ours, peers).map { $0.seconds / $1.seconds })
  }

  private static func middle(_ rounds: [Measurement]) -> Measurement {
    let bytes = rounds.compactMap(\.bytes).map(Double.init)
    return Measurement(
      seconds: median(rounds.map(\.seconds)), bytes: bytes.isEmpty ? nil : Int(median(bytes)))
  }

  /// A row of a Markdown table.
  var row: String {
    let bar = bar?.verdict(ours: ours, peers: peers, ratio: ratio) ?? "–"
    return
      "| \(title) | \(Self.text(ours)) | \(Self.text(peers)) | \(Self.digits(ratio)) | \(bar) |"
  }

  static let head = "| work | Switchyard | peer | ratio | bar |\n|---|---|---|---|---|"

  private static func text(_ measurement: Measurement) -> String {
    let seconds = measurement.seconds
    let time =
      seconds < 1e-3
      ? "\(digits(seconds * 1e6)) µs"
      : seconds < 1 ? "\(digits(seconds * 1e3)) ms" : "\(digits(seconds)) s"
    guard let bytes = measurement.bytes else { return time }
    return "\(time), \(digits(Double(bytes) / 1e6)) MB private"
  }

  private static func digits(_ value: Double) -> String {
    let scale = value.magnitude < 1 ? 1000.0 : value.magnitude < 10 ? 100 : 10
    return "\((value * scale).rounded() / scale)"
  }
}
