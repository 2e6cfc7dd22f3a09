/// The segments at the start of a JPEG file.
enum JPEGMarkers {
  private static let exifName = Array("Exif\0\0".utf8)

  /// The EXIF data, without their name; `nil` if there are none before the picture.
  static func exif(in bytes: [UInt8]) -> ArraySlice<UInt8>? {
    var place = 2
    while place + 4 <= bytes.count, bytes[place] == 0xFF {
      let marker = bytes[place + 1]
      // The byte 0xFF may be repeated before a marker, and some markers have no contents.
      if marker == 0xFF {
        place += 1
        continue
      }
      if marker == 0x01 || 0xD0...0xD7 ~= marker {
        place += 2
        continue
      }
      // The picture begins, or the file ends.
      guard marker != 0xDA, marker != 0xD9 else { return nil }
      let end = place + 2 + (Int(bytes[place + 2]) << 8 | Int(bytes[place + 3]))
      guard end >= place + 4, end <= bytes.count else { return nil }
      let contents = bytes[place + 4..<end]
      if marker == 0xE1, contents.starts(with: exifName) {
        return contents.dropFirst(exifName.count)
      }
      place = end
    }
    return nil
  }
}
