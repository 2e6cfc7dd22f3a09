@testable import MoETokenizers
import Foundation
import MoECore
import Testing

@Suite("Unicode normalization")
struct UnicodeFormTests {
  /// The four forms of a text: NFC, NFD, NFKC, NFKD.
  private func forms(_ text: String) -> [String] {
    [(true, false), (false, false), (true, true), (false, true)].map {
      var bytes = Array(text.utf8)
      UnicodeForm(composes: $0.0, isCompatible: $0.1).apply(to: &bytes)
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// Fixture: `Tests/Fixtures/make/tokenizer_families.py`.
  @Test("equals Python's for letters, marks and Korean parts")
  func sameAsPython() throws {
    let fixtures = try TokenizerFixture.forms()
    #expect(fixtures.count == 1_500)
    for (text, sums) in fixtures {
      let found = forms(text)
      #expect(found.map { TokenizerFixture.checksum($0) } == sums, "\(text.debugDescription)")
    }
  }

  @Test("equals Foundation's for every character of the basic plane")
  func allCharacters() {
    for block in stride(from: UInt32(0), to: 0x10000, by: 64) {
      var scalars = String.UnicodeScalarView()
      for scalar in (block..<block + 64).compactMap({ Unicode.Scalar($0) }) {
        scalars.append(scalar)
        scalars.append("x")
      }
      let text = String(scalars)
      let expected = [
        text.precomposedStringWithCanonicalMapping, text.decomposedStringWithCanonicalMapping,
        text.precomposedStringWithCompatibilityMapping,
        text.decomposedStringWithCompatibilityMapping,
      ]
      for (found, form) in zip(forms(text), expected) {
        #expect(found.utf8.elementsEqual(form.utf8), "U+\(String(block, radix: 16))")
      }
    }
  }

  @Test("sorts long runs of marks in reasonable time")
  func longRuns() {
    var text = Array(("a" + String(repeating: "\u{301}\u{316}", count: 50_000)).utf8)
    UnicodeForm(composes: false, isCompatible: false).apply(to: &text)
    let sorted =
      "a" + String(repeating: "\u{316}", count: 50_000)
      + String(repeating: "\u{301}", count: 50_000)
    #expect(text == Array(sorted.utf8))
  }
}
