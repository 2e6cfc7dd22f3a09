/// A regular expression that matches a run of characters of one class, such as `\s?\p{L}+`, `[\r\n]`,
/// `\p{N}{1,3}`, `[0-9]{3}` or `\s+$`.
///
/// Tokenizers combine several of these. Unlike a ``SplitPattern``, which a file must spell as
/// published, they are read from their spelling, because the lists of letters are long and differ.
struct RunPattern: Sendable {
  /// The character that may precede the run.
  enum Lead {
    case none, space, whiteSpace
  }

  let lead: Lead
  let members: CharacterClass
  /// The number of characters in a run; longer runs are cut.
  let lengths: ClosedRange<Int>
  /// Whether the run must reach the end of the piece, or of a line in it.
  let isAtEnd: Bool

  /// Reads an expression; `nil` for any other form.
  init?(expression: String) {
    var rest = Substring(expression).unicodeScalars
    lead = Self.lead(&rest)
    guard let members = CharacterClass(&rest), let lengths = Self.lengths(&rest) else {
      return nil
    }
    (self.members, self.lengths) = (members, lengths)
    isAtEnd = rest.first == "$"
    if isAtEnd {
      // Only where no shorter run could match, which would make the search quadratic.
      guard expression == #"\s+$"# else { return nil }
      rest.removeFirst()
    }
    guard rest.isEmpty else { return nil }
  }

  private static func lead(_ rest: inout Substring.UnicodeScalarView) -> Lead {
    for (spelling, lead) in [(#"\s?"#, Lead.whiteSpace), (" ?", .space)]
    where rest.starts(with: spelling.unicodeScalars) {
      rest.removeFirst(spelling.unicodeScalars.count)
      return lead
    }
    return .none
  }

  /// Reads `+`, `{1,n}`, `{n}` or nothing.
  private static func lengths(_ rest: inout Substring.UnicodeScalarView) -> ClosedRange<Int>? {
    if rest.first == "+" {
      rest.removeFirst()
      return 1...Int.max
    }
    guard rest.first == "{" else { return 1...1 }
    guard let close = rest.firstIndex(of: "}") else { return nil }
    let bounds = String(rest[..<close].dropFirst()).split(
      separator: ",", omittingEmptySubsequences: false)
    rest = rest[rest.index(after: close)...]
    guard let last = bounds.last, let most = Int(last), 1...1_000 ~= most else { return nil }
    if bounds.count == 1 { return most...most }
    return bounds.count == 2 && bounds[0] == "1" ? 1...most : nil
  }

  // MARK: Matching

  /// The end of the match that begins at `start`; `nil` if none begins there.
  func matchEnd(
    _ text: Span<UInt8>, _ start: Int, _ limit: Int, _ classes: ScalarClasses
  ) -> Int? {
    if isAtEnd { return trailingSpace(text, start, limit, classes) }
    if let begin = afterLead(text, start, limit, classes) {
      if let end = match(text, begin, limit, classes) { return end }
    }
    return match(text, start, limit, classes)
  }

  /// The end of the run at `start`; `nil` if it is too short.
  private func match(
    _ text: Span<UInt8>, _ start: Int, _ limit: Int, _ classes: ScalarClasses
  ) -> Int? {
    let (end, count) = run(text, start, limit, classes)
    return count >= lengths.lowerBound ? end : nil
  }

  /// Bytes at `position`, where nothing matches, in which no later match begins either: without
  /// this, long runs of white space before a word would take quadratic time.
  func unmatchedLength(
    _ text: Span<UInt8>, _ position: Int, _ limit: Int, _ classes: ScalarClasses
  ) -> Int {
    let run = isAtEnd ? runEnd(text, position, limit, classes) - position : 0
    return run > 0 ? run : text.scalar(at: position, limit: limit).length
  }

  private func afterLead(
    _ text: Span<UInt8>, _ start: Int, _ limit: Int, _ classes: ScalarClasses
  ) -> Int? {
    guard lead != .none, start < limit else { return nil }
    let (value, length) = text.scalar(at: start, limit: limit)
    let isLead =
      lead == .space ? value == 0x20 : classes(value) & ScalarClasses.Class.space != 0
    return isLead ? start + length : nil
  }

  private func runEnd(
    _ text: Span<UInt8>, _ start: Int, _ limit: Int, _ classes: ScalarClasses
  ) -> Int {
    run(text, start, limit, classes).end
  }

  private func run(
    _ text: Span<UInt8>, _ start: Int, _ limit: Int, _ classes: ScalarClasses
  ) -> (end: Int, count: Int) {
    var (position, count) = (start, 0)
    while position < limit, count < lengths.upperBound {
      let (value, length) = text.scalar(at: position, limit: limit)
      guard members.contains(value, classes: classes(value)) else { break }
      position += length
      count += 1
    }
    return (position, count)
  }

  /// White space up to the end, or else to before its last line break.
  private func trailingSpace(
    _ text: Span<UInt8>, _ start: Int, _ limit: Int, _ classes: ScalarClasses
  ) -> Int? {
    let end = runEnd(text, start, limit, classes)
    guard end < limit else { return end > start ? end : nil }
    var position = end - 1
    while position > start {
      if text[position] == UInt8(ascii: "\n") { return position }
      position -= 1
    }
    return nil
  }
}
