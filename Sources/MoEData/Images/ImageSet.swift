import MoEModels
public import MoECore
public import MoETensor

/// Images with labels, all of one shape.
public protocol ImageSet: AnyObject {
  /// Channels, rows and columns of an image.
  var imageShape: [Int] { get }
  /// Number of images.
  var count: Int { get }
  /// Number of classes; labels are from 0 to one less.
  var classes: Int { get }

  /// Some images.
  ///
  /// - Parameters:
  ///   - numbers: Their indices, each from 0 to `count - 1`.
  ///   - random: The random numbers for sets whose images are distributions, such as latents;
  ///     without them they return the means.
  /// - Returns: Shape `[images, channels, rows, columns]`, f32; pixels are between -1 and 1.
  /// - Throws: When the data cannot be read.
  func images(_ numbers: [Int], random: RandomSource?) throws -> Tensor

  /// The label of an image.
  func label(_ number: Int) -> Int
}

/// Images and their labels.
public struct ImageBatch {
  /// Shape `[images, channels, rows, columns]`, f32.
  public var images: Tensor
  /// One label per image.
  public var labels: [Int]

  /// Creates a batch.
  public init(images: Tensor, labels: [Int]) { (self.images, self.labels) = (images, labels) }
}

/// An endless sequence of images that can be resumed anywhere.
public protocol ImageBatchSource: AnyObject {
  /// Channels, rows and columns of an image.
  var imageShape: [Int] { get }
  /// Number of classes.
  var classes: Int { get }
  /// Position of the next image; setting it continues there.
  var position: DataPosition { get set }

  /// The next images.
  ///
  /// - Parameter count: How many, at least 1.
  /// - Returns: The images, which depend only on the position.
  /// - Throws: When the data cannot be read.
  func next(_ count: Int) throws -> ImageBatch
}

/// The images of a set, reshuffled in every epoch, and mirrored at random if requested.
public final class ShuffledImages: ImageBatchSource {
  private let images: any ImageSet
  private let flips: Bool
  private var order: ShuffledOrder

  /// Starts at the beginning.
  ///
  /// - Parameters:
  ///   - images: The images, at least one.
  ///   - flips: Whether half of the images are mirrored left to right.
  ///   - seed: Determines order and mirroring.
  public init(_ images: any ImageSet, flips: Bool, seed: UInt64) {
    precondition(images.count >= 1, "a set without images")
    (self.images, self.flips) = (images, flips)
    order = ShuffledOrder(count: images.count, seed: seed)
  }

  /// Channels, rows and columns of an image.
  public var imageShape: [Int] { images.imageShape }
  /// Number of classes.
  public var classes: Int { images.classes }
  /// Images in a pass.
  public var count: Int { images.count }

  /// The next image's position in the shuffled order.
  public var position: DataPosition {
    get { order.position }
    set { order = ShuffledOrder(count: images.count, seed: order.seed, position: newValue) }
  }

  /// The next images.
  public func next(_ count: Int) throws -> ImageBatch {
    // All random choices depend only on the position.
    var generator = SeededGenerator(
      seed: order.seed &+ UInt64(order.position.epoch) &* 0xD1B5_4A32_D192_ED03
        &+ UInt64(order.position.index) &* 0x9E37_79B9_7F4A_7C15)
    let random = RandomSource(seed: generator.next())
    let numbers = (0..<count).map { _ in order.next() }
    var pixels = try images.images(numbers, random: random)
    if flips {
      let isFlipped = random.bernoulli([count], probability: 0.5, dtype: .f32).perImage .> 0.5
      pixels = isFlipped.moved(to: pixels.device).select(pixels.reversed(axis: 3), else: pixels)
    }
    return ImageBatch(images: pixels, labels: numbers.map(images.label))
  }
}

/// Images in memory.
public final class ImageArray: ImageSet {
  /// Number of classes.
  public let classes: Int
  private let pixels: Tensor
  private let labels: [Int]

  /// Wraps images.
  ///
  /// - Parameters:
  ///   - pixels: Shape `[images, channels, rows, columns]`; u8 from 0 to 255, or f32 from -1 to 1.
  ///   - labels: One per image, from 0 to `classes - 1`.
  ///   - classes: Number of classes.
  /// - Throws: `SettingError` when they are inconsistent.
  public init(_ pixels: Tensor, labels: [Int], classes: Int) throws(SettingError) {
    guard pixels.rank == 4, pixels.dtype == .u8 || pixels.dtype == .f32 else {
      throw SettingError(
        key: "images", value: "\(pixels.dtype) \(pixels.shape)",
        expected: "u8 or f32 of shape [images, channels, rows, columns]")
    }
    guard labels.count == pixels.size(0) else {
      throw SettingError(
        key: "labels", value: "\(labels.count)", expected: "as many as images, \(pixels.size(0))")
    }
    if let wrong = labels.first(where: { !(0..<classes ~= $0) }) {
      throw SettingError(
        key: "label", value: "\(wrong)", expected: "in 0…\(classes - 1), below \(classes) classes")
    }
    (self.pixels, self.labels, self.classes) = (pixels, labels, classes)
  }

  /// Channels, rows and columns of an image.
  public var imageShape: [Int] { Array(pixels.shape.dropFirst()) }
  /// Number of images.
  public var count: Int { labels.count }
  /// The label of an image.
  public func label(_ number: Int) -> Int { labels[number] }

  /// Some images, as f32.
  public func images(_ numbers: [Int], random: RandomSource?) -> Tensor {
    let chosen = pixels.selecting(Tensor(numbers))
    return chosen.dtype == .u8 ? chosen.cast(to: .f32) / 127.5 - 1 : chosen
  }
}
