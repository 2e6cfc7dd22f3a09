import MoECore
import Testing

@Suite("Checksums")
struct ChecksumTests {
  @Test("CRC-32C gives RFC 3720's values")
  func publishedVectors() {
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(Array(0..<32)) == 0x46DD_794E)
    #expect(CRC32C.checksum((0..<32).reversed()) == 0x113F_DB5C)
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([]) == 0)
  }

  /// One bit at a time.
  private func slow(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(UInt32.max) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1) * 0x82F6_3B78 }
    }
  }

  @Test("CRC-32C of parts is that of the whole, and that of the slow definition", arguments: 0..<40)
  func reference(count: Int) {
    var generator = SeededGenerator(seed: UInt64(count))
    let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    #expect(CRC32C.checksum(bytes) == slow(bytes))
    var parts = CRC32C()
    let cut = count / 3
    unsafe parts.update(Array(bytes[..<cut]).span.bytes)
    unsafe parts.update(Array(bytes[cut...]).span.bytes)
    #expect(parts.value == slow(bytes))
  }

  /// Values of Python's xxhash 3, for bytes 7 i + 3.
  @Test(
    "xxHash gives the reference's values, in one piece or several",
    arguments: [
      (0, 0xEF46DB3751D8E999),
      (1, 0x1F25C8D0BC1F4BB6),
      (3, 0x31D2363F52E564C9),
      (31, 0xA2AA5F33CC4A6119),
      (32, 0x23C3C17EF790FD97),
      (33, 0x50A7CFC7BA588784),
      (100, 0xA61F8D4C170FE531),
      (1001, 0xA7A1C8C8A44E7044),
    ] as [(Int, UInt64)])
  func xxHash(count: Int, expected: UInt64) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: 7 * $0 + 3) }
    for size in [1, 5, 32, 40, 2000] {
      var hash = XXHash64()
      for start in stride(from: 0, to: count, by: size) {
        let part = Array(bytes[start..<min(start + size, count)])
        unsafe hash.update(part.span.bytes)
      }
      #expect(hash.value == expected, "parts of \(size)")
    }
  }

  /// Values of Python's hashlib; the first three are FIPS 180-4's examples.
  @Test(
    "SHA-256 gives the published values",
    arguments: [
      ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      ("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      ("a", 1000, "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3"),
      ("x", 55, "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072"),
      ("x", 64, "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c"),
    ])
  func sha256(text: String, count: Int, expected: String) {
    let bytes = Array(String(repeating: text, count: count).utf8)
    #expect(SHA256.hexadecimal(of: bytes) == expected)
  }
}

@Suite("UTF-8 text")
struct UTF8TextTests {
  @Test(
    "names the first byte that is not UTF-8",
    arguments: [
      ([], nil), (Array("Größe 🦊 日本語, and plain text".utf8), nil), ([0xFF], 0),
      (Array("plain text".utf8) + [0xFF, 0x41], 10), (Array("ab".utf8) + [0xC3], 2),
      ([0xC0, 0x80], 0), ([0xED, 0xA0, 0x80], 0), ([0xF4, 0x90, 0x80, 0x80], 0),
      ([0x41, 0xE2, 0x82], 1), ([0xF0, 0x9F, 0xA6, 0x41], 0),
    ] as [([UInt8], Int?)])
  func literal(bytes: [UInt8], expected: Int?) {
    #expect(unsafe UTF8Text.firstInvalidByte(in: bytes.span.bytes) == expected)
  }

  @Test("agrees with the standard library about random bytes", arguments: 0..<20)
  func random(seed: Int) {
    var generator = SeededGenerator(seed: UInt64(seed))
    for _ in 0..<500 {
      var bytes = Array("aé日🦊".utf8)
      let place = Int.random(in: 0..<bytes.count, using: &generator)
      bytes[place] = UInt8.random(in: 0...255, using: &generator)
      let isValid = String(validating: bytes, as: UTF8.self) != nil
      #expect(
        unsafe (UTF8Text.firstInvalidByte(in: bytes.span.bytes) == nil) == isValid, "\(bytes)")
    }
  }
}
