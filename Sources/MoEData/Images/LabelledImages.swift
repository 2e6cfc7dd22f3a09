public import SystemPackage

/// Labelled images of one size, in memory.
public struct LabelledImages: Sendable {
  /// The number of pixels per row.
  public let width: Int
  /// The number of rows.
  public let height: Int
  /// 1 or 3.
  public let channels: Int
  /// All pixels, shape `[images, channels, height, width]`.
  public private(set) var bytes: [UInt8]
  /// The class of each image, from 0.
  public private(set) var labels: [Int]
  /// Names of the classes.
  public let classes: [String]

  /// Wraps images.
  ///
  /// - Precondition: There are `width · height · channels` bytes per label, and labels are indices
  ///   of classes.
  public init(
    width: Int, height: Int, channels: Int, bytes: [UInt8], labels: [Int], classes: [String]
  ) {
    precondition(bytes.count == labels.count * width * height * channels)
    precondition(labels.allSatisfy { classes.indices.contains($0) })
    (self.width, self.height, self.channels) = (width, height, channels)
    (self.bytes, self.labels, self.classes) = (bytes, labels, classes)
  }

  /// The number of images.
  public var count: Int { labels.count }
  /// The number of bytes of one image.
  public var imageSize: Int { width * height * channels }

  /// One image.
  public subscript(place: Int) -> Pixels {
    Pixels(
      width: width, height: height, channels: channels,
      planes: Array(bytes[place * imageSize..<(place + 1) * imageSize]))
  }

  /// Some of the images, in the given order.
  public func selecting(_ places: [Int]) -> LabelledImages {
    var chosen: [UInt8] = []
    chosen.reserveCapacity(places.count * imageSize)
    for place in places { chosen += bytes[place * imageSize..<(place + 1) * imageSize] }
    return LabelledImages(
      width: width, height: height, channels: channels, bytes: chosen,
      labels: places.map { labels[$0] }, classes: classes)
  }

  /// The same images, with class indices from another list of names.
  ///
  /// - Parameters:
  ///   - known: Names of classes in the order of their new indices; it may contain more classes
  ///     than this set.
  ///   - path: The location of the images, for error messages.
  /// - Returns: The images; their ``classes`` are `known`.
  /// - Throws: ``ImageError/otherClasses(_:found:known:)`` if the list lacks a class.
  public func relabelled(
    as known: [String], from path: FilePath
  ) throws(ImageError)
    -> LabelledImages
  {
    let numbers = classes.compactMap { known.firstIndex(of: $0) }
    guard numbers.count == classes.count else {
      throw .otherClasses(path, found: classes, known: known)
    }
    return LabelledImages(
      width: width, height: height, channels: channels, bytes: bytes,
      labels: labels.map { numbers[$0] }, classes: known)
  }

  /// The indices of the images of each class.
  public var placesByClass: [[Int]] {
    var places = [[Int]](repeating: [], count: classes.count)
    for (place, label) in labels.enumerated() { places[label].append(place) }
    return places
  }

  /// The central squares of the images, scaled.
  public func scaled(side: Int, channels: Int) -> LabelledImages {
    guard width != side || height != side || channels != self.channels else { return self }
    var all: [UInt8] = []
    all.reserveCapacity(count * side * side * channels)
    for place in 0..<count {
      all += self[place].centreSquare(side: side).converted(channels: channels).planes
    }
    return LabelledImages(
      width: side, height: side, channels: channels, bytes: all, labels: labels, classes: classes)
  }
}
