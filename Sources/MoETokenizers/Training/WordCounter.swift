/// The distinct words of a text and their frequencies.
struct WordCounter {
  private var table = TokenTable(capacity: 1 << 16)
  private(set) var counts: [Int] = []

  /// The number of distinct words.
  var count: Int { counts.count }

  /// The bytes of a word.
  func word(_ index: Int) -> ArraySlice<UInt8> { table.bytes(index) }

  /// Counts the pieces of a text between special tokens.
  ///
  /// - Complexity: O(bytes) time; memory holds each distinct word once.
  mutating func count(
    _ text: Span<UInt8>, _ scanner: PatternScanner, without specials: TokenMatcher,
    progress: (Int) -> Void
  ) {
    var reported = 0
    specials.forEachPart(text) { part in
      guard case .text(let range) = part else { return }
      scanner.forEachPiece(text, in: range) { piece, _ in
        add(text, piece)
        if piece.upperBound - reported > 1 << 22 {
          reported = piece.upperBound
          progress(reported)
        }
      }
    }
  }

  private mutating func add(_ text: Span<UInt8>, _ word: Range<Int>) {
    if let known = table.id(text, word) {
      counts[Int(known)] += 1
    } else {
      _ = table.insert(word.map { text[$0] }, id: Int32(counts.count))
      counts.append(1)
    }
  }
}
