/// Arranges images of one size in rows, on a uniform background.
public struct ContactSheet {
  /// The number of images per row.
  public var columns: Int
  /// The number of pixels between images and around them.
  public var gap: Int
  /// The enlargement factor: each pixel becomes a square of this side.
  public var enlargement: Int
  /// The grey level of the background.
  public var shade: UInt8

  /// Describes a layout.
  ///
  /// - Precondition: `columns` and `enlargement` are at least 1, `gap` at least 0.
  public init(columns: Int, gap: Int = 2, enlargement: Int = 1, shade: UInt8 = 255) {
    precondition(columns >= 1 && gap >= 0 && enlargement >= 1)
    (self.columns, self.gap, self.enlargement, self.shade) = (columns, gap, enlargement, shade)
  }

  /// The page.
  ///
  /// - Precondition: There is at least one image, and all have the same size and channels.
  public func page(_ images: [Pixels]) -> Pixels {
    let first = images[0]
    precondition(
      images.allSatisfy {
        $0.width == first.width && $0.height == first.height && $0.channels == first.channels
      })
    let rows = (images.count + columns - 1) / columns
    let (width, height) = (first.width * enlargement + gap, first.height * enlargement + gap)
    var page = Pixels(
      width: columns * width + gap, height: rows * height + gap, channels: first.channels,
      shade: shade)
    for (place, image) in images.enumerated() {
      draw(
        image, on: &page, column: gap + place % columns * width, row: gap + place / columns * height
      )
    }
    return page
  }

  private func draw(_ image: Pixels, on page: inout Pixels, column: Int, row: Int) {
    let channels = image.channels
    for y in 0..<image.height * enlargement {
      for x in 0..<image.width * enlargement {
        let from = (y / enlargement * image.width + x / enlargement) * channels
        let to = ((row + y) * page.width + column + x) * channels
        for channel in 0..<channels { page.bytes[to + channel] = image.bytes[from + channel] }
      }
    }
  }
}
