/// How the stored rows and columns of a picture are shown, by the numbers of EXIF's tag 0x0112.
///
/// - SeeAlso: CIPA DC-008, *Exchangeable image file format*, 4.6.4.
enum ImageOrientation: Int {
  case upright = 1
  case mirrored, upsideDown, flipped
  /// Rows and columns are exchanged: along the main diagonal, or with a quarter turn to the right, …
  case transposed, turnedRight, transverse, turnedLeft

  /// Reads the orientation from EXIF data, which are a TIFF file.
  ///
  /// - Returns: `nil` where they do not say, or are damaged: viewers then show the picture as it is stored.
  init?(exif: ArraySlice<UInt8>) {
    let name = Array("Exif\0\0".utf8)
    // Some programs write the name of JPEG's segment into PNG's chunk, too.
    let bytes = Array(exif.starts(with: name) ? exif.dropFirst(name.count) : exif)
    let isBigEndian = bytes.starts(with: [0x4D, 0x4D, 0, 42])
    guard isBigEndian || bytes.starts(with: [0x49, 0x49, 42, 0]) else { return nil }
    func number(at place: Int, _ count: Int) -> Int? {
      guard place >= 0, place + count <= bytes.count else { return nil }
      let part = bytes[place..<place + count]
      return (isBigEndian ? Array(part) : part.reversed()).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(at: 4, 4), let entries = number(at: directory, 2) else {
      return nil
    }
    for entry in (0..<entries).map({ directory + 2 + 12 * $0 }) where number(at: entry, 2) == 0x112
    {
      // The type is SHORT; some write LONG.
      let size = number(at: entry + 2, 2) == 4 ? 4 : 2
      guard let value = number(at: entry + 8, size) else { return nil }
      self.init(rawValue: value)
      return
    }
    return nil
  }
}

extension Pixels {
  /// The picture as it is to be shown.
  func oriented(_ orientation: ImageOrientation) -> Pixels {
    guard orientation != .upright else { return self }
    let isExchanged = orientation.rawValue >= ImageOrientation.transposed.rawValue
    let (newWidth, newHeight) = isExchanged ? (height, width) : (width, height)
    let (right, bottom) = (width - 1, height - 1)
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    for y in 0..<newHeight {
      for x in 0..<newWidth {
        let (column, row) =
          switch orientation {
          case .upright: (x, y)
          case .mirrored: (right - x, y)
          case .upsideDown: (right - x, bottom - y)
          case .flipped: (x, bottom - y)
          case .transposed: (y, x)
          case .turnedRight: (y, bottom - x)
          case .transverse: (right - y, bottom - x)
          case .turnedLeft: (right - y, x)
          }
        let place = (row * width + column) * channels
        result += bytes[place..<place + channels]
      }
    }
    return Pixels(width: newWidth, height: newHeight, channels: channels, bytes: result)
  }

  /// Blends samples that end in an opacity per pixel with white, in the values of the samples.
  ///
  ///     value = (sample · opacity + 255 · (255 − opacity)) / 255
  static func onWhite(_ samples: [UInt8], channels: Int) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(samples.count / (channels + 1) * channels)
    for pixel in stride(from: 0, to: samples.count, by: channels + 1) {
      let opacity = Int(samples[pixel + channels])
      for channel in 0..<channels {
        let sum = Int(samples[pixel + channel]) * opacity + 255 * (255 - opacity)
        result.append(UInt8((sum + 127) / 255))
      }
    }
    return result
  }
}
