/// An image in memory: 8 bits per channel, rows from top to bottom, interleaved channels.
public struct Pixels: Hashable, Sendable {
  /// The number of pixels per row.
  public let width: Int
  /// The number of rows.
  public let height: Int
  /// 1 for greyscale, 3 for red, green and blue.
  public let channels: Int
  /// Shape `[height, width, channels]`.
  public var bytes: [UInt8]

  /// Wraps bytes.
  ///
  /// - Precondition: There are `width · height · channels` of them, and 1 or 3 channels.
  public init(width: Int, height: Int, channels: Int, bytes: [UInt8]) {
    precondition(width > 0 && height > 0 && (channels == 1 || channels == 3))
    precondition(bytes.count == width * height * channels, "\(width)×\(height)×\(channels)")
    (self.width, self.height, self.channels, self.bytes) = (width, height, channels, bytes)
  }

  /// Creates an image of one grey level.
  public init(width: Int, height: Int, channels: Int, shade: UInt8) {
    self.init(
      width: width, height: height, channels: channels,
      bytes: [UInt8](repeating: shade, count: width * height * channels))
  }

  /// The part that starts at a column and row.
  ///
  /// - Precondition: It is inside the image.
  public func cropped(column: Int, row: Int, width: Int, height: Int) -> Pixels {
    precondition(
      column >= 0 && row >= 0 && column + width <= self.width && row + height <= self.height)
    var part: [UInt8] = []
    part.reserveCapacity(width * height * channels)
    for y in row..<row + height {
      let start = (y * self.width + column) * channels
      part += bytes[start..<start + width * channels]
    }
    return Pixels(width: width, height: height, channels: channels, bytes: part)
  }

  /// The largest central square, scaled to `side` pixels.
  public func centreSquare(side: Int) -> Pixels {
    let edge = min(width, height)
    let square =
      width == height
      ? self
      : cropped(
        column: (width - edge) / 2, row: (height - edge) / 2, width: edge, height: edge)
    return square.scaled(width: side, height: side)
  }

  /// Scales to another size by area averaging: each new pixel is the mean of the area that it
  /// covers.
  public func scaled(width newWidth: Int, height newHeight: Int) -> Pixels {
    guard newWidth != width || newHeight != height else { return self }
    let columns = Self.coverage(from: width, to: newWidth)
    let rows = Self.coverage(from: height, to: newHeight)
    var result: [UInt8] = []
    result.reserveCapacity(newWidth * newHeight * channels)
    for row in rows {
      for column in columns {
        for channel in 0..<channels { result.append(mean(row, column, channel)) }
      }
    }
    return Pixels(width: newWidth, height: newHeight, channels: channels, bytes: result)
  }

  /// The old rows or columns that one new one covers, with weights that sum to 1.
  private struct Cover {
    var first: Int
    var shares: [Double]
  }

  private static func coverage(from old: Int, to new: Int) -> [Cover] {
    let step = Double(old) / Double(new)
    return (0..<new).map { place in
      let (start, end) = (Double(place) * step, Double(place + 1) * step)
      let first = min(Int(start), old - 1)
      let last = max(first, min(Int(end.rounded(.up)) - 1, old - 1))
      let shares = (first...last).map { (min(Double($0 + 1), end) - max(Double($0), start)) / step }
      return Cover(first: first, shares: shares)
    }
  }

  private func mean(_ row: Cover, _ column: Cover, _ channel: Int) -> UInt8 {
    var sum = 0.0
    for (y, rowShare) in row.shares.enumerated() {
      var place = ((row.first + y) * width + column.first) * channels + channel
      for share in column.shares {
        sum += rowShare * share * Double(bytes[place])
        place += channels
      }
    }
    return UInt8(max(0, min(255, sum.rounded())))
  }

  /// The same image with another number of channels.
  ///
  /// Greyscale uses the colour weights of ITU-R BT.601.
  public func converted(channels target: Int) -> Pixels {
    guard target != channels else { return self }
    let converted: [UInt8]
    if target == 3 {
      converted = bytes.flatMap { [$0, $0, $0] }
    } else {
      converted = stride(from: 0, to: bytes.count, by: 3).map { place in
        let sum =
          299 * Int(bytes[place]) + 587 * Int(bytes[place + 1]) + 114 * Int(bytes[place + 2])
        return UInt8((sum + 500) / 1000)
      }
    }
    return Pixels(width: width, height: height, channels: target, bytes: converted)
  }

  /// The bytes in the order `[channels, height, width]`, as neural networks expect them.
  public var planes: [UInt8] {
    guard channels > 1 else { return bytes }
    return (0..<channels).flatMap { channel in
      stride(from: channel, to: bytes.count, by: channels).map { bytes[$0] }
    }
  }

  /// Creates an image from bytes in the order `[channels, height, width]`.
  public init(width: Int, height: Int, channels: Int, planes: [UInt8]) {
    let area = width * height
    let bytes = (0..<area).flatMap { place in (0..<channels).map { planes[$0 * area + place] } }
    self.init(width: width, height: height, channels: channels, bytes: bytes)
  }
}
