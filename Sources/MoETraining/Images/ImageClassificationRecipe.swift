import MoEData
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// Trains a small image classifier, whose features measure how realistic generated images are.
struct ImageClassificationRecipe: TrainingRecipe {
  static let sections = ["model", "data", "evaluation"]
  static let pathKeys = [
    "data.train", "data.labels", "data.validation", "data.validation_labels",
  ]

  let shared: TrainingSettings
  let depth: Int
  let width: Int
  let data: ImageDataSettings

  init(_ json: ConfigurationObject, _ shared: TrainingSettings) throws {
    self.shared = shared
    let model = try json.section("model", ImageClassifierConfiguration.architectureKeys)
    (depth, width) = try ImageClassifierConfiguration.architecture(model)
    data = try ImageDataSettings(json)
    guard data.format != .latents else {
      throw ConfigurationError.invalidValue(
        path: json.path, key: "data.format", value: "latents", expected: "one of pictures")
    }
    _ = try json.section("evaluation", ["every"])
    guard !shared.recomputes else {
      throw SettingError(
        key: "training.recompute", value: "true", expected: "false for this task")
    }
    guard shared.dtype == .f32 else {
      throw SettingError(
        key: "training.precision", value: "\(shared.dtype)", expected: "f32 for this task")
    }
  }

  var resolved: [String: JSONObject] {
    ["model": ["depth": .number(Double(depth)), "width": .number(Double(width))]]
  }

  func checkFiles() throws { try data.check() }

  func prepare(
    in folder: FilePath, device: Device, progress: @escaping ProgressHandler
  ) throws -> PreparedTask<ImageClassificationTask> {
    let images = try data.open(progress: progress)
    let (mean, deviation) = try Self.statistics(of: images.training)
    let shape = images.training.imageShape
    guard images.classNames.count >= 2, shape[1] >= 4 else {
      throw SettingError(
        key: "data.train",
        value: "\(images.classNames.count) classes of \(shape[1]) pixels a side",
        expected: "at least two classes of images of at least 4×4 pixels")
    }
    let configuration = ImageClassifierConfiguration(
      imageSize: shape[1], channels: shape[0], depth: depth, width: width,
      labels: images.classNames, mean: mean, deviation: deviation)
    try data.check(images, shape: shape, classes: images.classNames.count)
    let counted = CountedWeights()
    _ = try ImageClassifier(configuration, weights: counted)
    let places = Double(shared.batchSize * shape[1] * shape[1])
    try TrainingMemory.check(
      weights: counted.count, trained: shared, other: 4 * places * Double(3 * depth * width),
      of: "batches of \(shared.batchSize) images")
    let weights = MappedWeights.trainable(
      RandomWeights(RandomSource(seed: shared.seed)), dtype: .f32, device: device)
    let task = try ImageClassificationTask(
      ImageClassifier(configuration, weights: weights),
      images: ShuffledImages(images.training, flips: data.flips, seed: shared.seed),
      validation: images.validation, batchSize: shared.batchSize, device: device)
    let count = task.weights.reduce(0) { $0 + $1.parameter.value.count }
    return PreparedTask(
      task: task,
      headline:
        "\(NumberText.amount(count)) weights, \(NumberText.counted(depth, "layer")), \(configuration.features) features; \(NumberText.counted(images.training.count, "image")) of \(shape.map(String.init).joined(separator: "×")), \(images.classNames.count) classes",
      unit: "images", examples: images.training.count,
      consumption: .init(examples: images.training.count, batch: shared.batchSize))
  }

  /// Mean and standard deviation of each channel, for pixels from 0 to 1.
  private static func statistics(
    of images: any ImageSet
  ) throws -> (mean: [Double], deviation: [Double]) {
    let channels = images.imageShape[0]
    var (sums, squares) = (
      Tensor.zeros([channels], dtype: .f64), Tensor.zeros([channels], dtype: .f64)
    )
    var count = 0
    for start in stride(from: 0, to: images.count, by: 1024) {
      let numbers = Array(start..<min(start + 1024, images.count))
      let pixels = try images.images(numbers, random: nil).cast(to: .f64) * 0.5 + 0.5
      sums = sums + pixels.sum(axes: [0, 2, 3])
      squares = squares + (pixels * pixels).sum(axes: [0, 2, 3])
      count += pixels.count / channels
    }
    let mean = (sums / Double(count)).array(of: Double.self)
    let square = (squares / Double(count)).array(of: Double.self)
    // Otherwise a constant channel would lead to a division by 0.
    return (mean, zip(square, mean).map { max(1e-3, max(0, $0 - $1 * $1).squareRoot()) })
  }
}
