public import MoEData
public import MoECore
import MoEEvaluation
public import MoEModels
public import MoETensor

/// Trains a classifier of images.
///
///     loss = cross-entropy
public final class ImageClassificationTask: TrainingTask {
  /// The model.
  public let model: ImageClassifier
  /// The weights that are trained.
  public let weights: [NamedParameter]
  /// Means and variances of channels.
  public let buffers: [NamedParameter]
  private let images: any ImageBatchSource
  private let validation: (any ImageSet)?
  private let batchSize: Int
  private let device: Device
  /// Statistics of the batches of the current step.
  private var seen: [[Tensor]] = []

  /// Images per batch of an evaluation.
  private static let evaluationBatch = 256

  /// Prepares to train a model.
  ///
  /// - Parameters:
  ///   - model: The model, with its weights on `device`.
  ///   - images: What to train on; of the model's shape and classes.
  ///   - validation: What to evaluate on, if anything.
  ///   - batchSize: Images per batch, at least 2.
  ///   - device: Where to compute.
  /// - Throws: `SettingError` when the data do not fit the model.
  public init(
    _ model: ImageClassifier, images: any ImageBatchSource, validation: (any ImageSet)? = nil,
    batchSize: Int, device: Device = .cpu
  ) throws(SettingError) {
    let c = model.configuration
    let shape = [c.channels, c.imageSize, c.imageSize]
    for (found, classes) in [(images.imageShape, images.classes)]
      + (validation.map { [($0.imageShape, $0.classes)] } ?? [])
    {
      guard found == shape, classes <= c.labels.count else {
        throw SettingError(
          key: "images",
          value: "of \(found.map(String.init).joined(separator: "×")) in \(classes) classes",
          expected:
            "of \(shape.map(String.init).joined(separator: "×")) in at most \(c.labels.count) classes"
        )
      }
    }
    guard batchSize >= 2 else {
      throw SettingError(
        key: "training.batch_size", value: "\(batchSize)",
        expected: "at least 2, because channels are normalized over a batch")
    }
    (self.model, self.images, self.validation) = (model, images, validation)
    (self.batchSize, self.device) = (batchSize, device)
    weights = model.parameters
    buffers = model.statistics
  }

  /// The next image's position.
  public var position: DataPosition {
    get { images.position }
    set { images.position = newValue }
  }

  /// The next images.
  public func nextBatch() throws -> ImageBatch { try images.next(batchSize) }

  /// The loss of a batch of images.
  public func loss(_ batch: ImageBatch, random: RandomSource) -> TaskLoss {
    let output = model(batch.images.moved(to: device), training: true)
    seen.append(output.batch)
    let targets = Tensor(batch.labels).moved(to: device)
    return TaskLoss(
      parts: [.init("cross_entropy", output.logits.crossEntropy(targets: targets))],
      units: batch.labels.count)
  }

  /// Updates the channels' running statistics.
  public func stepEnded(routing: [LayerRouting]) {
    for batch in seen { model.learn(from: batch) }
    seen = []
  }

  /// Discards what the step recorded.
  public func stepAbandoned() { seen = [] }

  /// Loss and accuracy on validation images.
  public func evaluate() throws -> [NamedValue] {
    guard let validation else { return [] }
    var loss = 0.0
    var (predicted, actual) = ([Int](), [Int]())
    for start in stride(from: 0, to: validation.count, by: Self.evaluationBatch) {
      let numbers = Array(start..<min(start + Self.evaluationBatch, validation.count))
      let images = try validation.images(numbers, random: nil).moved(to: device)
      let output = model(images)
      try model.check(output, of: images)
      let logits = output.logits
      let labels = numbers.map(validation.label)
      let sum = logits.crossEntropy(targets: Tensor(labels).moved(to: device), reduction: .sum)
      loss += Double(sum.item(as: Float.self))
      predicted += logits.argmax(axis: 1).array(of: Int.self)
      actual += labels
    }
    let metrics = ClassificationMetrics(
      predicted: predicted, actual: actual, classes: model.configuration.labels.count)
    return [
      NamedValue("loss", loss / Double(validation.count)),
      NamedValue("accuracy", metrics.accuracy ?? .nan),
    ]
  }

  /// `config.json`.
  public func modelFiles() throws -> [ModelFile] {
    [ModelFile("config.json", Array(try model.configuration.json().utf8))]
  }
}

@available(*, unavailable)
extension ImageClassificationTask: Sendable {}
