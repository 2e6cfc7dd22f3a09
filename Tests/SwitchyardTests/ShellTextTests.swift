import Testing

@testable import switchyard

@Suite("Words for a shell")
struct ShellTextTests {
  @Test(
    "are quoted where a shell would interpret them, mark by mark",
    arguments: [
      (["ls", "a-b_c/d.e=1:2,+@"], "ls a-b_c/d.e=1:2,+@"), ([""], "''"),
      (["two words"], "'two words'"),
      (["it's"], #"'it'\''s'"#), (["'", "$x"], #"''\''' '$x'"#),
      // A combining mark makes one character of itself and a quote, which ends the word all the same.
      (["it'\u{301}s; ls"], "'it'\\''\u{301}s; ls'"), (["a\r\n'\u{FE0F}"], "'a\r\n'\\''\u{FE0F}'"),
    ])
  func quoting(words: [String], line: String) {
    #expect(Array(ShellText.line(words).unicodeScalars) == Array(line.unicodeScalars))
  }
}
