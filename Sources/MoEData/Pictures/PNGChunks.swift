import MoECore
import SystemPackage

/// The parts of a PNG file that decide about its pixels.
struct PNGChunks {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// The file without the chunks that pictures can be decoded without: times, texts, and everything about the colour
  /// space, by which libpng would convert the samples.
  let essential: [UInt8]
  /// The contents of the chunk `eXIf`, if there is one.
  let exif: ArraySlice<UInt8>?

  /// Finds the parts of a file that begins with ``signature``.
  ///
  /// What is not made of chunks stays, for the decoder to refuse, which also checks the critical chunks.
  ///
  /// - Throws: ``ImageError/unreadable(_:problem:)`` for another chunk whose checksum is wrong: what it says cannot be
  ///   trusted, and the damage may go on.
  init(_ bytes: [UInt8], _ path: FilePath) throws(ImageError) {
    var essential = Array(bytes.prefix(Self.signature.count))
    essential.reserveCapacity(bytes.count)
    var exif: ArraySlice<UInt8>?
    var place = essential.count
    while let size = Self.size(of: bytes[place...]) {
      let chunk = bytes[place..<place + size]
      let type = chunk.dropFirst(4).prefix(4)
      // A capital letter marks a chunk that no decoder may skip.
      let isCritical = type.first.map { $0 & 0x20 == 0 } ?? true
      guard isCritical || Self.hasRightChecksum(chunk) else {
        let name = String(decoding: type, as: UTF8.self).printable
        throw .unreadable(path, problem: "the checksum of its chunk '\(name)' is wrong")
      }
      if type.elementsEqual("eXIf".utf8) { exif = exif ?? chunk.dropFirst(8).dropLast(4) }
      if isCritical || type.elementsEqual("tRNS".utf8) { essential += chunk }
      place += size
    }
    (self.essential, self.exif) = (essential + bytes[place...], exif)
  }

  /// Whether a chunk ends with the checksum of its type and contents, the CRC-32 of ISO 3309.
  private static func hasRightChecksum(_ chunk: ArraySlice<UInt8>) -> Bool {
    var sum: UInt32 = .max
    for byte in chunk.dropFirst(4).dropLast(4) {
      sum = table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8
    }
    return ~sum == chunk.suffix(4).reduce(0) { $0 << 8 | UInt32($1) }
  }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(byte) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
  }

  /// The bytes of the first chunk: a length, a type, the contents and a checksum; `nil` if there is no whole one.
  private static func size(of bytes: ArraySlice<UInt8>) -> Int? {
    guard bytes.count >= 12 else { return nil }
    let size = 12 + bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
    return size <= bytes.count ? size : nil
  }
}
