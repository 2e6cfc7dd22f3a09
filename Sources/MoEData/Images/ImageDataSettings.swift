package import MoECore
import MoEModels
import MoETensor
package import SystemPackage

/// The section `data` of a configuration for images.
package struct ImageDataSettings: Sendable {
  package typealias Format = ImageFiles.Format

  package let path: FilePath
  package let format: Format
  package let train: [FilePath]
  package let labels: FilePath?
  package let validation: [FilePath]
  package let validationLabels: FilePath?
  package let validationShare: Double
  package let size: Int?
  package let channels: Int?
  package let limit: Int?
  package let flips: Bool

  package init(_ json: ConfigurationObject) throws {
    let data = try json.section(
      "data",
      [
        "train", "labels", "format", "validation", "validation_labels", "validation_share", "size",
        "channels", "limit", "flip",
      ])
    path = json.path
    train = try data.paths("train")
    guard let first = train.first else {
      throw ConfigurationError.missingKey(path: json.path, key: "data.train")
    }
    labels = try data.paths("labels").first
    format =
      data.has("format")
      ? try data.choice("format") : Format(of: first, hasLabels: labels != nil)
    validation = try data.paths("validation")
    validationLabels = try data.paths("validation_labels").first
    validationShare = try data.fraction("validation_share") ?? 0
    guard validation.isEmpty || validationShare == 0 else {
      throw data.invalid("validation_share", "absent where data.validation names a file")
    }
    size = try data.optionalInt("size", in: 1...4096)
    channels = try data.optionalInt("channels", in: 1...3)
    guard channels != 2 else { throw data.invalid("channels", "1 or 3") }
    limit = try data.optionalInt("limit", in: 1...(1 << 30))
    flips = try data.optionalBool("flip") ?? false
    try checkKeys(data)
  }

  /// Rejects keys that are missing for a format, or that it does not use.
  private func checkKeys(_ data: ConfigurationObject) throws {
    if format == .idx {
      guard labels != nil else {
        throw ConfigurationError.missingKey(path: path, key: "data.labels")
      }
      guard validation.isEmpty || validationLabels != nil else {
        throw ConfigurationError.missingKey(path: path, key: "data.validation_labels")
      }
    }
    for (key, paths) in [("train", train), ("validation", validation)] {
      guard format == .cifar || paths.count <= 1 else {
        throw data.invalid(key, "one path; only CIFAR data can have several files")
      }
    }
    guard format != .latents || validationShare == 0 else {
      throw data.invalid(
        "validation_share", "absent for latents; data.validation names a second file")
    }
    for key in ["size", "channels", "limit"] where format == .latents && data.has(key) {
      throw data.invalid(key, "absent for latents, which are used unchanged")
    }
    for key in ["labels", "validation_labels"] where format != .idx && data.has(key) {
      throw data.invalid(
        key, "absent for the format '\(format.rawValue)'; only 'idx' has files of labels")
    }
    guard validationLabels == nil || !validation.isEmpty else {
      throw data.invalid("validation_labels", "absent where data.validation names no file")
    }
  }

  /// Checks that all files exist.
  package func check() throws {
    for file in train + validation + [labels, validationLabels].compactMap({ $0 })
    where file.isMissing {
      throw ImageError.invalidFile(file, problem: "there is no such file or folder")
    }
  }

  /// Reads the images.
  ///
  /// - Parameters:
  ///   - known: Names of a model's classes in the order of its labels, for folders; `nil` for
  ///     alphabetical order. Formats that number their classes keep the numbers.
  ///   - progress: Called with the number of images read.
  /// - Returns: The images; a class has the same label in both sets.
  /// - Throws: ``ImageError``, `ConfigurationError` or `FileError`.
  package func open(
    as known: [String]? = nil, progress: @escaping ProgressHandler
  ) throws -> ImageData {
    if format == .latents { return try openLatents() }
    var training = try read(train, labels: labels, as: known, progress)
    var held: LabelledImages?
    if !validation.isEmpty {
      held = try read(validation, labels: validationLabels, as: training.classes, progress)
    } else if validationShare > 0 {
      let split = Self.split(training, share: validationShare)
      (training, held) = (split.training, split.held)
    }
    guard training.count > 0 else {
      throw ImageError.invalidFile(train[0], problem: "no image is left to train on")
    }
    return ImageData(
      training: try ImageArray(training), validation: try held.map { try ImageArray($0) },
      classNames: training.classes)
  }

  private func openLatents() throws -> ImageData {
    let training = try LatentImages(train[0])
    let held = try validation.first.map { try LatentImages($0) }
    guard held?.scale ?? training.scale == training.scale else {
      throw ConfigurationError.invalidValue(
        path: validation[0], key: "scale", value: "\(held?.scale ?? 1)",
        expected: "\(training.scale), as in \(train[0])")
    }
    return ImageData(
      training: training, validation: held,
      classNames: (0..<training.classes).map(String.init), latentScale: training.scale)
  }

  private func read(
    _ paths: [FilePath], labels: FilePath?, as known: [String]?, _ progress: ProgressHandler
  ) throws -> LabelledImages {
    let images = try ImageFiles(paths, labels: labels, format: format).read(
      side: size, channels: channels, limit: limit, progress: progress)
    guard format == .folders, let known else { return images }
    return try images.relabelled(as: known, from: paths[0])
  }

  /// Rejects images that do not fit a model, naming their file.
  ///
  /// - Parameters:
  ///   - images: The result of ``open(as:progress:)``.
  ///   - shape: Channels, rows and columns of the model's images.
  ///   - classes: Its number of classes.
  /// - Throws: `ConfigurationError` that names the file.
  package func check(_ images: ImageData, shape: [Int], classes: Int) throws(ConfigurationError) {
    func text(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "×") }
    let all: [(String, FilePath, (any ImageSet)?)] = [
      ("data.train", train[0], images.training),
      ("data.validation", validation.first ?? train[0], images.validation),
    ]
    for case (let key, let path, let set?) in all {
      guard set.imageShape == shape else {
        throw .invalidValue(
          path: path, key: key, value: "of \(text(set.imageShape))",
          expected: "of \(text(shape)), as the model's images")
      }
      guard set.classes <= classes else {
        throw .invalidValue(
          path: path, key: key, value: "of \(set.classes) classes",
          expected: "of at most \(classes), the model's")
      }
    }
  }

  /// Holds out the last images of each class.
  package static func split(
    _ images: LabelledImages, share: Double
  ) -> (training: LabelledImages, held: LabelledImages?) {
    var (kept, held) = ([Int](), [Int]())
    for places in images.placesByClass {
      let count = Int((Double(places.count) * share).rounded())
      kept += places.dropLast(count)
      held += places.suffix(count)
    }
    return (
      images.selecting(kept.sorted()), held.isEmpty ? nil : images.selecting(held.sorted())
    )
  }
}

/// Images to train and evaluate on.
package struct ImageData {
  package var training: any ImageSet
  package var validation: (any ImageSet)?
  package var classNames: [String]
  /// The factor of latents; `nil` for pictures.
  package var latentScale: Double?
}

extension ImageArray {
  /// Reads pixels from files.
  package convenience init(_ images: LabelledImages) throws(SettingError) {
    try self.init(
      Tensor(
        images.bytes, shape: [images.count, images.channels, images.height, images.width]),
      labels: images.labels, classes: images.classes.count)
  }
}
