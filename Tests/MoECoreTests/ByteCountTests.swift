import MoECore
import Testing

@Suite("Byte counts")
struct ByteCountTests {
  @Test(
    "are read in common spellings",
    arguments: [
      ("4096", 4096), ("1kB", 1000), ("500MB", 500_000_000), ("4 GiB", 4 << 30),
      ("1.5gb", 1_500_000_000),
      ("0", 0), ("2 tib", 2 << 40),
    ])
  func parses(text: String, bytes: Int) {
    #expect(ByteCount(parsing: text)?.bytes == bytes)
  }

  @Test(
    "reject text that is not an amount",
    arguments: ["", "GB", "-1", "1 XB", "1e999", "9999999999TB", "1..2", "nan"])
  func refuses(text: String) {
    #expect(ByteCount(parsing: text) == nil)
  }

  @Test(
    "print three digits",
    arguments: [
      (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_049_000_000, "1.05 GB"),
      (12_345_678, "12.3 MB"),
      (999_600, "1.0 MB"), (123_456, "123 kB"),
    ])
  func prints(bytes: Int, text: String) {
    #expect(ByteCount(bytes).description == text)
  }
}
