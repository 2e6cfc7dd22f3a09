public import MoECore
public import MoEData
public import MoEModels
import MoETensor
public import SystemPackage

/// Real images and a classifier, beside which made images are measured; every set of made images meets the same ones.
public struct FidelityMeasurement {
  /// Who looks at the images.
  public let classifier: ImageClassifier
  /// Images of each side of a comparison.
  public let count: Int
  private let real: ImageFeatures
  private let others: ImageFeatures

  /// Images that are looked at or made together.
  private static let batchSize = 128
  /// Images of each side where no number is given, at most.
  public static let usualCount = 5000
  /// Fewest images with which anything can be said.
  public static let leastCount = 10

  /// Prepares to measure.
  ///
  /// - Parameters:
  ///   - folder: Folder of the classifier or of its training run.
  ///   - reference: Real images; they are scaled to what the classifier sees.
  ///   - count: Images of each side; `nil` for as many as there are real ones, at most ``usualCount``. Real images are
  ///     chosen evenly over the data.
  ///   - progress: Told what is done.
  /// - Throws: `ModelError`, `ConfigurationError`, `ImageError` or `FileError`; `SettingError` when there are too few
  ///   images.
  public init(
    classifier folder: FilePath, reference: ImageFiles, count: Int? = nil,
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    guard count ?? Self.leastCount >= Self.leastCount else {
      throw SettingError(
        key: "count", value: "\(count ?? 0)", expected: "at least \(Self.leastCount)")
    }
    classifier = try ImageClassifier.open(folder)
    let images = try reference.read(classifier, progress: progress)
    let wanted = count ?? min(images.count, Self.usualCount)
    guard Self.leastCount...max(Self.leastCount, images.count) ~= wanted,
      images.count >= 2 * Self.leastCount
    else {
      throw SettingError(
        key: "count", value: "\(wanted)",
        expected: "from \(Self.leastCount) to the number of real images, \(images.count)")
    }
    self.count = wanted
    real = try Self.features(classifier, images, of: wanted, "looking at real images", progress)
    others = try Self.features(
      classifier, images, of: min(2 * wanted, images.count), "looking at more of them", progress)
  }

  /// Checks that a model's images can be made and compared, before any image is read.
  ///
  /// - Parameters:
  ///   - stored: The model.
  ///   - sampler: How images are to be made.
  ///   - folder: Folder of the classifier.
  /// - Throws: `SettingError` when model and classifier see images of other
  ///   sizes; `ImageSamplingError` when model and sampler do not fit; what opening throws.
  public static func check(
    _ stored: StoredDiffusionModel, sampler: DiffusionSampler, classifier folder: FilePath
  ) throws {
    let classifier = try ImageClassifierConfiguration(
      ConfigurationObject(ModelLocation(folder).path.appending("config.json")))
    _ = try sampler.images(from: open(stored, for: classifier), labels: [], seed: 0)
  }

  private static func open(
    _ stored: StoredDiffusionModel, for c: ImageClassifierConfiguration
  ) throws -> DiffusionTransformer {
    try stored.checkPictures()
    let model = try stored.model()
    guard model.imageShape == [c.channels, c.imageSize, c.imageSize] else {
      throw SettingError(
        key: "images of the model",
        value: "of \(model.imageShape.map(String.init).joined(separator: "×"))",
        expected: "of \(c.channels)×\(c.imageSize)×\(c.imageSize), as the classifier sees them")
    }
    return model
  }

  /// Measures the images that a model makes: as many of each class, in turn.
  ///
  /// - Parameters:
  ///   - stored: The model.
  ///   - sampler: How images are made.
  ///   - seed: Decides all noise.
  ///   - progress: Told how many are made.
  /// - Returns: The measures.
  /// - Throws: `SettingError` when model and classifier see images of other
  ///   sizes; what sampling throws.
  public func measure(
    _ stored: StoredDiffusionModel, sampler: DiffusionSampler, seed: UInt64,
    progress: ProgressHandler = { _ in }
  ) throws -> ImageFidelity {
    let c = classifier.configuration
    let model = try Self.open(stored, for: c)
    let classes = stored.classNames.count
    let numbers = Self.numbers(of: stored.classNames, in: c.labels)
    var sets: [ImageFeatures] = []
    for start in stride(from: 0, to: count, by: Self.batchSize) {
      let places = start..<min(start + Self.batchSize, count)
      let labels = places.map { $0 % classes }
      let images = try sampler.images(from: model, labels: labels, seed: seed, first: start)
      sets.append(
        try ImageFeatures(
          classifier, images.storedAsBytes, labels: numbers.map { n in labels.map { n[$0] } }))
      progress(Progress("making images", completed: places.upperBound, total: count))
    }
    return ImageFidelity(made: .joined(sets), real: real, others: others)
  }

  /// Measures images that lie in files, such as those of another program.
  ///
  /// - Parameters:
  ///   - files: The images, at least as many as are compared; they are chosen evenly.
  ///   - progress: Told what is done.
  /// - Returns: The measures.
  /// - Throws: `ImageError` or `FileError`; `SettingError` for too few images.
  public func measure(
    _ files: ImageFiles, progress: @escaping ProgressHandler = { _ in }
  ) throws -> ImageFidelity {
    let images = try files.read(classifier, progress: progress)
    guard images.count >= count else {
      throw SettingError(
        key: "count", value: "\(count)",
        expected: "at most \(images.count), the number of images to measure")
    }
    let made = try Self.features(classifier, images, of: count, "looking at images", progress)
    return ImageFidelity(made: made, real: real, others: others)
  }

  /// The classifier's numbers of classes, unless it does not know one.
  private static func numbers(of names: [String], in known: [String]) -> [Int]? {
    let numbers = names.compactMap { known.firstIndex(of: $0) }
    return numbers.count == names.count ? numbers : nil
  }

  /// Looks at some of the images, chosen evenly, in an order without meaning.
  private static func features(
    _ classifier: ImageClassifier, _ images: LabelledImages, of count: Int, _ task: String,
    _ progress: ProgressHandler
  ) throws -> ImageFeatures {
    let numbers = numbers(of: images.classes, in: classifier.configuration.labels)
    // Files often stand class by class, and parts and halves of a set must hold all classes.
    var generator = SeededGenerator(seed: 0)
    let chosen = (0..<count).map { $0 * images.count / count }.shuffled(using: &generator)
    let sets = try stride(from: 0, to: count, by: batchSize).map { start in
      let part = images.selecting(Array(chosen[start..<min(start + batchSize, count)]))
      progress(Progress(task, completed: start + part.count, total: count))
      let bytes = Tensor(
        part.bytes, shape: [part.count, part.channels, part.height, part.width])
      return try ImageFeatures(
        classifier, bytes.cast(to: .f32) / 127.5 - 1,
        labels: numbers.map { n in part.labels.map { n[$0] } })
    }
    return .joined(sets)
  }
}

extension ImageFiles {
  /// Reads images as a classifier sees them.
  fileprivate func read(
    _ classifier: ImageClassifier, progress: @escaping ProgressHandler
  ) throws -> LabelledImages {
    let c = classifier.configuration
    return try read(side: c.imageSize, channels: c.channels, progress: progress)
  }
}

extension Tensor {
  /// Pixels from -1 to 1 as they are once they were written to a file with 8 bits per channel.
  fileprivate var storedAsBytes: Tensor {
    (self * 127.5 + 127.5).clamped(min: 0, max: 255).rounded() / 127.5 - 1
  }
}
