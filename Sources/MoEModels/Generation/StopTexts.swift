/// Finds the first of several texts in one that arrives in pieces, and holds back what could be the beginning of one.
public struct StopTexts: Sendable {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []

  /// Prepares to look for texts; empty ones are never found.
  public init(_ stops: [String]) {
    self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty }
  }

  /// Adds a piece.
  ///
  /// - Parameter piece: Whole characters.
  /// - Returns: What may be shown: everything before a stop text, or up to where one could begin.
  /// - Complexity: O(bytes × bytes of all stop texts).
  public mutating func append(_ piece: String) -> (text: String, isFound: Bool) {
    guard !stops.isEmpty else { return (piece, false) }
    held += piece.utf8
    if let start = held.indices.first(where: { start in stops.contains { begins(at: start, $0) } })
    {
      return (take(start), true)
    }
    // A stop text begins with a whole character, so characters are not torn here.
    let start = held.indices.first { start in
      stops.contains { $0.starts(with: held[start...]) }
    }
    return (take(start ?? held.count), false)
  }

  /// What is still held back once the text has ended.
  public mutating func finish() -> String { take(held.count) }

  private func begins(at start: Int, _ stop: [UInt8]) -> Bool { held[start...].starts(with: stop) }

  private mutating func take(_ count: Int) -> String {
    defer { held.removeFirst(count) }
    return String(decoding: held.prefix(count), as: UTF8.self)
  }
}
