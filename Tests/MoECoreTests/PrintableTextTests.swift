import MoECore
import Testing

@Suite("Printable text")
struct PrintableTextTests {
  @Test("spells out what would move the cursor and leaves the rest")
  func spells() {
    #expect("a\u{1B}[2Jb\n\u{202E}".printable == #"a\u{1b}[2Jb\u{a}\u{202e}"#)
    #expect("日本語 é 👩‍👩‍👧".printable == "日本語 é 👩‍👩‍👧")
  }
}
