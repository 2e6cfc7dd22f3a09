import MoEModels
import Testing

@Suite("Stop texts")
struct StopTextsTests {
  /// What is shown of a text that arrives in pieces, and whether a stop text ended it.
  private func shown(_ pieces: [String], stops: [String]) -> (pieces: [String], isFound: Bool) {
    var search = StopTexts(stops)
    var shown: [String] = []
    for piece in pieces {
      let found = search.append(piece)
      shown.append(found.text)
      if found.isFound { return (shown, true) }
    }
    return (shown + [search.finish()], false)
  }

  @Test("end a text before themselves, however it is cut into pieces")
  func pieces() {
    let text = "one two\n\nthree"
    for size in 1...text.count {
      let pieces = stride(from: 0, to: text.count, by: size).map {
        String(text.dropFirst($0).prefix(size))
      }
      let found = shown(pieces, stops: ["three", "\n\n", "twilight"])
      #expect(found.isFound && found.pieces.joined() == "one two", "pieces of \(size)")
    }
  }

  @Test("hold back only what could be the beginning of one")
  func holding() {
    #expect(shown(["ab", "c", "d"], stops: ["abx"]).pieces == ["", "abc", "d", ""])
    #expect(shown(["aa", "a", "b"], stops: ["aab"]).pieces == ["", "a", ""])
    #expect(shown(["aa", "a", "b"], stops: ["aab"]).isFound)
    #expect(shown(["x", "a"], stops: ["ab"]).pieces == ["x", "", "a"])
    #expect(shown(["Größe", " 🦊"], stops: ["öß", "🦊"]).pieces == ["Gr"])
    #expect(shown(["é"], stops: ["è"]).pieces == ["é", ""])
    #expect(shown(["a"], stops: []).pieces == ["a", ""])
    #expect(shown(["a"], stops: [""]).pieces == ["a", ""])
  }

  @Test("win by their place, not by their order")
  func earliest() {
    #expect(shown(["abcd"], stops: ["cd", "b"]).pieces == ["a"])
  }
}
