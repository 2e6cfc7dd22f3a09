@testable import MoETokenizers
import MoECore
import Testing

@Suite("Merging of symbols")
struct SymbolMergerTests {
  /// Random merges over few letters, so that every kind of overlap occurs.
  private static func table(
    letters: Int, merges: Int, using generator: inout SeededGenerator
  ) -> (MergeTable, [[Int32]: (rank: Int, id: Int32)]) {
    var table = MergeTable()
    var plain: [[Int32]: (rank: Int, id: Int32)] = [:]
    for rank in 0..<merges {
      let highest = Int32(letters + rank) - 1
      let pair = (0..<2).map { _ in Int32.random(in: 0...highest, using: &generator) }
      if plain[pair] != nil { continue }
      plain[pair] = (rank, Int32(letters + rank))
      table.insert(pair[0], pair[1], rank: rank, id: Int32(letters + rank))
    }
    return (table, plain)
  }

  /// Byte-pair encoding as its definition reads.
  private static func merge(_ word: [Int32], _ table: [[Int32]: (rank: Int, id: Int32)]) -> [Int32]
  {
    var word = word
    while true {
      let candidates = word.indices.dropLast().compactMap { index in
        table[[word[index], word[index + 1]]].map { (rank: $0.rank, index: index, id: $0.id) }
      }
      guard let best = candidates.min(by: { ($0.rank, $0.index) < ($1.rank, $1.index) }) else {
        return word
      }
      word.replaceSubrange(best.index...best.index + 1, with: [best.id])
    }
  }

  @Test("equals the definition, in short and long words")
  func sameAsDefinition() {
    var generator = SeededGenerator(seed: 3)
    var merger = SymbolMerger()
    for round in 0..<600 {
      let letters = 1 + round % 4
      let (table, plain) = Self.table(letters: letters, merges: 24, using: &generator)
      let length = round % 3 == 0 ? Int.random(in: 40...200, using: &generator) : round % 24
      let word = (0..<length).map { _ in
        Int32.random(in: 0..<Int32(letters), using: &generator)
      }
      var merged = word
      merger.merge(&merged, with: table)
      #expect(merged == Self.merge(word, plain), "\(word)")
    }
  }

  @Test("handles a million equal letters")
  func hostileWord() {
    var table = MergeTable()
    for level in 0..<10 {
      table.insert(Int32(level), Int32(level), rank: level, id: Int32(level + 1))
    }
    var word = [Int32](repeating: 0, count: 1_000_000)
    var merger = SymbolMerger()
    merger.merge(&word, with: table)
    // 1,000,000 = 976 · 1,024 + 576, and 576 = 512 + 64.
    #expect(word == Array(repeating: 10, count: 976) + [9, 6])
  }
}
