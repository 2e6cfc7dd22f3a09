public import MoEData
public import MoEEvaluation
public import MoECore
public import MoEModels
import MoERouting
public import MoETensor

/// Trains a diffusion transformer to remove noise from images.
///
///     loss = objective + Σ terms of the routing rule (coefficient · Σ blocks term)
public final class DiffusionTask: TrainingTask {
  /// How the loss is computed and batches are drawn.
  public struct Settings: Hashable, Sendable {
    /// Images per batch; at least 1.
    public var batchSize: Int
    /// Coefficients and parameters by name, where they differ from the routing rule's defaults.
    ///
    /// Coefficients are at least 0, where 0 leaves a term out; parameters are above 0.
    public var losses: [String: Double] = [:]
    /// Whether blocks are recomputed in the backward pass.
    public var recomputes = false
    /// Maximum number of images of an evaluation, spread evenly over the data.
    public var evaluationImages = 256

    /// Creates settings with the defaults of the paper's code.
    public init(batchSize: Int) { self.batchSize = batchSize }
  }

  /// The model.
  public let model: DiffusionTransformer
  /// The weights that are trained.
  public let weights: [NamedParameter]
  /// Position embeddings, thresholds and centroids.
  public let buffers: [NamedParameter]
  /// What is predicted, and how images are made noisy.
  public let objective: any DiffusionObjective
  /// Which experts each sparse block used since the start, or since ``forgetUsage()``.
  public private(set) var usage: [ExpertUsage] = []
  /// The images generated at evaluations, if any.
  public var pictures: SamplePictures?
  /// Names of the classes, for tables.
  public var classNames: [String] = []
  private let settings: Settings
  /// The terms that routing adds to the loss, with the coefficients and parameters of this training.
  private let terms: [RoutingTerm]
  private let images: any ImageBatchSource
  private let validation: (any ImageSet)?
  private let files: [ModelFile]
  let device: Device
  /// What sparse blocks with thresholds or centroids did in the current step.
  private var done: [[DiffusionExperts.Output]] = []
  /// ``usage`` without the current step.
  private var endedUsage: [ExpertUsage] = []

  /// Prepares to train a model.
  ///
  /// - Parameters:
  ///   - model: The model, with its weights on `device`.
  ///   - images: What to train on; of the model's shape, with at most as many classes.
  ///   - validation: What to evaluate on, if anything.
  ///   - settings: How to train.
  ///   - files: Files of the model's folder besides weights and `config.json`.
  ///   - device: Where to compute.
  /// - Throws: `SettingError` when the data do not fit the model.
  public init(
    _ model: DiffusionTransformer, images: any ImageBatchSource,
    validation: (any ImageSet)? = nil, settings: Settings, files: [ModelFile] = [],
    device: Device = .cpu
  ) throws {
    try Self.check(model, shape: images.imageShape, classes: images.classes)
    if let validation {
      try Self.check(model, shape: validation.imageShape, classes: validation.classes)
    }
    guard settings.batchSize >= 1 else {
      throw SettingError(
        key: "batchSize", value: "\(settings.batchSize)", expected: "at least 1")
    }
    terms = try RoutingTerm.terms(
      of: model.configuration.experts?.router, changed: settings.losses)
    (self.model, self.images, self.validation) = (model, images, validation)
    (self.settings, self.files, self.device) = (settings, files, device)
    weights = model.parameters
    buffers = model.buffers
    objective = try model.configuration.objective.loss()
    forgetUsage()
  }

  private static func check(
    _ model: DiffusionTransformer, shape: [Int], classes: Int
  ) throws(SettingError) {
    guard shape == model.imageShape else {
      throw SettingError(
        key: "images", value: "of \(shape.map(String.init).joined(separator: "×"))",
        expected: "of \(model.imageShape.map(String.init).joined(separator: "×")), as the model's")
    }
    guard classes <= model.classes else {
      throw SettingError(
        key: "classes", value: "\(classes)", expected: "at most \(model.classes), the model's")
    }
  }

  /// The next image's position.
  public var position: DataPosition {
    get { images.position }
    set { images.position = newValue }
  }

  /// The next images.
  public func nextBatch() throws -> ImageBatch { try images.next(settings.batchSize) }

  /// The loss of a batch of images, with some labels dropped.
  public func loss(_ batch: ImageBatch, random: RandomSource) throws -> TaskLoss {
    let labels = withLabelsDropped(batch.labels, random: random)
    let noisy = objective.noised(batch.images.moved(to: device), random: random)
    let output =
      if model.needsStart {
        model(noisy.images, times: noisy.times, labels: labels, pass: .starting(random))
      } else if settings.recomputes {
        try model.recomputing(noisy.images, times: noisy.times, labels: labels)
      } else {
        model(noisy.images, times: noisy.times, labels: labels, pass: .training)
      }
    count(output.sparse, labels: labels, times: noisy.times)
    return TaskLoss(
      parts: objective.losses(output.prediction, for: noisy) + routingParts(output.sparse),
      routing: output.sparse.map(Self.routing), units: labels.count)
  }

  private func withLabelsDropped(_ labels: [Int], random: RandomSource) -> [Int] {
    model.withLabelsDropped(labels, random: random)
  }

  /// The terms that routing adds, each summed over the sparse blocks.
  private func routingParts(_ sparse: [DiffusionExperts.Output]) -> [TaskLoss.Part] {
    let parts = terms.compactMap { term -> TaskLoss.Part? in
      guard term.coefficient != 0 else { return nil }
      let parameters = term.parameters.map { ($0.name, $0.value) }
      let values = sparse.compactMap {
        $0.loss(term.name, parameters: Dictionary(parameters) { first, _ in first })
      }
      guard let first = values.first else { return nil }
      return .init(
        term.name, values.dropFirst().reduce(first) { $0 + $1 }, coefficient: term.coefficient)
    }
    return parts + gatePart(sparse)
  }

  /// The mean factor of the routed experts' outputs, which is logged but not trained.
  private func gatePart(_ sparse: [DiffusionExperts.Output]) -> [TaskLoss.Part] {
    guard !sparse.isEmpty else { return [] }
    let gates = sparse.map { output -> Double in
      let weights = output.conditional.weights.detached()
      // A batch without any label has no routed tokens.
      return weights.count == 0
        ? 0 : Double(weights.cast(to: .f32).mean().item(as: Float.self))
    }
    let mean = gates.reduce(0, +) / Double(gates.count)
    return [.init("gate", Tensor(Float(mean)), coefficient: 0)]
  }

  private static func routing(_ output: DiffusionExperts.Output) -> LayerRouting {
    let entropy = withoutGradients {
      RoutingLosses.entropy(probabilities: output.conditional.probabilities).item(as: Float.self)
    }
    return LayerRouting(
      load: output.routing.load, entropy: Double(entropy),
      droppedShare: LayerRouting.droppedShare(output.conditional))
  }

  private func count(_ sparse: [DiffusionExperts.Output], labels: [Int], times: Tensor) {
    let values = times.array(of: Float.self)
    for (place, output) in sparse.enumerated() {
      usage[place].add(output, labels: labels, times: values)
    }
    if model.learnsFromRouting { done.append(sparse) }
  }

  /// Resets the counts of experts' use.
  public func forgetUsage() {
    let labels = model.classes + (model.nullLabel == nil ? 0 : 1)
    usage = model.configuration.sparseBlocks.map { _ in
      ExpertUsage(labels: labels, experts: model.configuration.experts?.listed ?? 0)
    }
    endedUsage = usage
  }

  /// Updates thresholds and centroids.
  public func stepEnded(routing: [LayerRouting]) {
    for sparse in done { model.learn(from: sparse) }
    (done, endedUsage) = ([], usage)
  }

  /// Discards what the step recorded, so that it does not affect counts, thresholds or centroids.
  public func stepAbandoned() { (done, usage) = ([], endedUsage) }

  /// The objective on validation images, with their labels and, where the model has one, with the
  /// null label.
  ///
  /// Times and noise are the same at every evaluation.
  public func evaluate() throws -> [NamedValue] {
    guard let validation else { return [] }
    let count = min(settings.evaluationImages, validation.count)
    let chosen = (0..<count).map { $0 * validation.count / count }
    var sums = [0.0, 0.0]
    for start in stride(from: 0, to: count, by: settings.batchSize) {
      let numbers = Array(chosen[start..<min(start + settings.batchSize, count)])
      let clean = try validation.images(numbers, random: nil).moved(to: device)
      let noisy = objective.noised(clean, random: RandomSource(seed: UInt64(start)))
      let kinds =
        [numbers.map(validation.label)]
        + (model.nullLabel.map { null in
          [numbers.map { _ in null }]
        } ?? [])
      for (kind, labels) in kinds.enumerated() {
        let prediction = model(noisy.images, times: noisy.times, labels: labels).prediction
        guard prediction.isAllFinite else {
          throw model.nonFinite(noisy.images, times: noisy.times, labels: labels)
        }
        let loss = objective.losses(prediction, for: noisy).reduce(0.0) {
          $0 + $1.coefficient * Double($1.value.item(as: Float.self))
        }
        sums[kind] += loss * Double(numbers.count)
      }
    }
    let result = [NamedValue("loss", sums[0] / Double(count))]
    return model.nullLabel == nil
      ? result : result + [NamedValue("loss_unlabelled", sums[1] / Double(count))]
  }

  /// `config.json` and the model's other files.
  public func modelFiles() throws -> [ModelFile] {
    [ModelFile("config.json", Array(try model.configuration.json().utf8))] + files
  }
}

@available(*, unavailable)
extension DiffusionTask: Sendable {}
