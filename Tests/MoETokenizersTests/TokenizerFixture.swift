import MoECore
import MoETestSupport
import SystemPackage

/// The reference library's results for one tokenizer; written by
/// `Tests/Fixtures/make/tokenizer_families.py`.
struct TokenizerFixture {
  /// Ids of the first lines, with special tokens.
  let ids: [[Int]]
  /// Checksums of the ids of all lines.
  let sums: [UInt32]
  /// Checksums of what the ids decode to, without special tokens.
  let decoded: [UInt32]
  /// The same with special tokens.
  let decodedWithSpecials: [UInt32]
  /// Random ids.
  let random: [[Int]]
  /// Checksums of what the random ids decode to.
  let randomDecoded: [UInt32]

  init(_ file: SafetensorsFile, _ prefix: String) throws {
    var rest = try Self.integers(file, "\(prefix)ids", as: UInt16.self)[...]
    ids = try Self.integers(file, "\(prefix)counts", as: UInt16.self).map { count in
      defer { rest = rest.dropFirst(Int(count)) }
      return rest.prefix(Int(count)).map { Int($0) }
    }
    sums = try Self.integers(file, "\(prefix)sums", as: UInt32.self)
    let both = try Self.integers(file, "\(prefix)decoded", as: UInt32.self)
    decoded = Array(both.prefix(both.count / 2))
    decodedWithSpecials = Array(both.suffix(both.count / 2))
    let chosen = try Self.integers(file, "\(prefix)random", as: UInt16.self).map { Int($0) }
    random = stride(from: 0, to: chosen.count, by: 12).map { Array(chosen[$0..<$0 + 12]) }
    randomDecoded = try Self.integers(file, "\(prefix)random.decoded", as: UInt32.self)
  }

  /// The lines that all fixtures are about.
  static func lines() throws -> [String] { try texts("text") }

  /// Texts, and checksums of their NFC, NFD, NFKC and NFKD.
  static func forms() throws -> [(text: String, sums: [UInt32])] {
    let file = try SafetensorsFile(Fixtures.path("tokenizers.safetensors"))
    let sums = try integers(file, "forms", as: UInt32.self)
    return try texts("forms.text").enumerated().map { ($1, Array(sums[4 * $0..<4 * $0 + 4])) }
  }

  private static func texts(_ name: String) throws -> [String] {
    let file = try SafetensorsFile(Fixtures.path("tokenizers.safetensors"))
    let text = try integers(file, name, as: UInt8.self)
    var start = 0
    return try integers(file, "\(name).ends", as: Int32.self).map { end in
      defer { start = Int(end) }
      return String(decoding: text[start..<Int(end)], as: UTF8.self)
    }
  }

  private static func integers<Value: FixedWidthInteger>(
    _ file: SafetensorsFile, _ name: String, as type: Value.Type
  ) throws -> [Value] {
    try file.withBytes(of: name) { bytes in
      unsafe bytes.withUnsafeBytes { buffer in
        stride(from: 0, to: buffer.count, by: Value.bitWidth / 8).map {
          unsafe buffer.loadUnaligned(fromByteOffset: $0, as: Value.self)
        }
      }
    }
  }

  /// The lower half of 64-bit FNV-1a over the ids as little-endian u32.
  static func checksum(_ ids: [Int]) -> UInt32 {
    checksum(ids.flatMap { id in (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) } })
  }

  /// The same over UTF-8.
  static func checksum(_ text: String) -> UInt32 { checksum(Array(text.utf8)) }

  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    UInt32(
      truncatingIfNeeded: bytes.reduce(UInt64(0xCBF2_9CE4_8422_2325)) {
        ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3
      })
  }
}
