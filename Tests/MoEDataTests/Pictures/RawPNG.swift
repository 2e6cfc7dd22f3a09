/// Builds PNG files sample by sample, in every form that the format has.
struct RawPNG {
  enum Colour: UInt8 { case grey = 0, colour = 2, palette = 3, greyAlpha = 4, colourAlpha = 6 }

  /// Pixels per row.
  var width: Int
  var bits: UInt8
  var colour: Colour
  /// The packed bytes of each row.
  var rows: [[UInt8]]
  /// Chunks between the header and the pixels.
  var chunks: [(type: String, contents: [UInt8])] = []
  /// Chunks after the pixels.
  var lateChunks: [(type: String, contents: [UInt8])] = []

  var bytes: [UInt8] {
    let header = Self.word(width) + Self.word(rows.count) + [bits, colour.rawValue, 0, 0, 0]
    var pixels: [UInt8] = []
    for row in rows { pixels += [0] + row }
    var all: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    all += Self.chunk("IHDR", header)
    all += chunks.flatMap { Self.chunk($0.type, $0.contents) }
    all += Self.chunk("IDAT", Self.stored(pixels))
    all += lateChunks.flatMap { Self.chunk($0.type, $0.contents) }
    return all + Self.chunk("IEND", [])
  }

  static func word(_ number: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }

  static func chunk(_ type: String, _ contents: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + contents
    return word(contents.count) + body + word(Int(checksum(body[...])))
  }

  /// A zlib stream of one block that is not compressed.
  private static func stored(_ bytes: [UInt8]) -> [UInt8] {
    let (count, a) = (
      UInt16(bytes.count),
      bytes.reduce(into: (1, 0)) { sums, byte in
        sums.0 = (sums.0 + Int(byte)) % 65521
        sums.1 = (sums.1 + sums.0) % 65521
      }
    )
    func little(_ number: UInt16) -> [UInt8] {
      [UInt8(truncatingIfNeeded: number), UInt8(truncatingIfNeeded: number >> 8)]
    }
    return [0x78, 0x01, 1] + little(count) + little(~count) + bytes + word(a.1 << 16 | a.0)
  }

  /// The checksum of chunks, bit by bit.
  static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(0xFFFF_FFFF as UInt32) { sum, byte in
      (0..<8).reduce(sum ^ UInt32(byte)) { value, _ in
        value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1
      }
    }
  }

  /// EXIF data that hold only an orientation.
  static func exif(_ orientation: UInt8, isBigEndian: Bool) -> [UInt8] {
    isBigEndian
      ? [0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]
        + [0, 0, 0, 0]
      : [0x49, 0x49, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0]
        + [0, 0, 0, 0]
  }
}
