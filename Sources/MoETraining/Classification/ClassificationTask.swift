public import MoEData
import Foundation
public import MoECore
import MoEEvaluation
public import MoEModels
import MoERouting
public import MoETensor

/// Trains a model that predicts classes or scores of texts.
///
///     loss = cross-entropy, or squared error of scores from 0 to 1
///          + entropy coefficient · mean entropy of the gate
///          + balance coefficient · (E · Σ mean weight² − 1)
public final class ClassificationTask: TrainingTask {
  /// How the loss is computed.
  public struct Settings: Hashable, Sendable {
    /// Texts per batch; at least 1.
    public var batchSize: Int
    /// Factor of the gate's entropy; above 0 favors a confident gate, below 0 an undecided one.
    public var entropy: Double
    /// Factor of the unevenness of the gate's mean weights; above 0 keeps all experts in use.
    public var balance: Double
    /// Dropout on the encoder's output: the fraction of it that the head does not see in a step,
    /// from 0 to below 1.
    public var dropout: Double
    /// Whether the encoder is frozen.
    public var isFrozen: Bool

    /// Creates settings.
    public init(
      batchSize: Int, entropy: Double = 0.01, balance: Double = 0.1, dropout: Double = 0,
      isFrozen: Bool = false
    ) {
      (self.batchSize, self.entropy) = (batchSize, entropy)
      (self.balance, self.dropout, self.isFrozen) = (balance, dropout, isFrozen)
    }
  }

  /// The model.
  public let model: TextClassifier
  /// The weights that are trained: all, or those of the head.
  public let weights: [NamedParameter]
  /// The weights of a frozen encoder.
  public let buffers: [NamedParameter]
  private let settings: Settings
  private let training: ClassificationSet
  private let test: ClassificationSet?
  private let files: [ModelFile]
  private let dtype: DType
  private let device: Device
  private var order: ShuffledOrder
  private var evaluation: ClassificationEvaluation?

  /// Prepares to train a model.
  ///
  /// - Parameters:
  ///   - model: The model, with its weights on `device`.
  ///   - training: What to train on.
  ///   - test: What to evaluate on, if anything.
  ///   - settings: How to train.
  ///   - seed: Decides the order of the texts.
  ///   - files: Files of the model's folder besides weights.
  ///   - device: Where to compute.
  public init(
    _ model: TextClassifier, training: ClassificationSet, test: ClassificationSet? = nil,
    settings: Settings, seed: UInt64, files: [ModelFile] = [], device: Device = .cpu
  ) {
    (self.model, self.training, self.test) = (model, training, test)
    (self.settings, self.files, self.device) = (settings, files, device)
    let named = model.parameters
    func isFixed(_ weight: NamedParameter) -> Bool {
      settings.isFrozen && weight.name.hasPrefix(TextClassifier.encoderPrefix)
    }
    weights = named.filter { !isFixed($0) }
    buffers = named.filter(isFixed)
    dtype = model.mixture.layer.gate.weight.dtype
    order = ShuffledOrder(count: training.count, seed: seed)
  }

  /// The next text's position in the shuffled order.
  public var position: DataPosition {
    get { order.position }
    set { order = ShuffledOrder(count: training.count, seed: order.seed, position: newValue) }
  }

  /// The indices of the next texts; a batch does not extend past the end of an epoch.
  public func nextBatch() -> [Int] {
    var batch = [order.next()]
    while batch.count < settings.batchSize, order.position.index < training.count {
      batch.append(order.next())
    }
    return batch
  }

  /// The loss of some texts.
  public func loss(_ batch: [Int], random: RandomSource) throws -> TaskLoss {
    let input =
      settings.isFrozen
      ? withoutGradients { views(of: batch, in: training) } : views(of: batch, in: training)
    let output = model.mixture(
      input.dropping(settings.dropout, random: random), training: true)
    var parts = [predictionLoss(output.answers, batch, training)]
    let probabilities = output.routing.probabilities
    parts.append(
      .init(
        "gate_entropy", RoutingLosses.entropy(probabilities: probabilities),
        coefficient: settings.entropy))
    parts.append(
      .init(
        "unevenness", RoutingLosses.unevenness(probabilities: probabilities),
        coefficient: settings.balance))
    return TaskLoss(parts: parts, routing: [LayerRouting(output.routing)], units: batch.count)
  }

  private func views(of texts: [Int], in set: ClassificationSet) -> InputViews {
    set.views(texts, encoder: model.encoder, dtype: dtype, on: device)
  }

  private func predictionLoss(
    _ answers: Tensor, _ texts: [Int], _ set: ClassificationSet
  ) -> TaskLoss.Part {
    let answers = answers.cast(to: .f32)
    switch model.configuration.target {
    case .classes:
      let targets = Tensor(texts.map { set.labels[$0] }).moved(to: device)
      return .init("cross_entropy", answers.crossEntropy(targets: targets))
    case .score:
      let targets = Tensor(texts.map { set.scores[$0] }).moved(to: device)
      return .init("squared_error", answers.reshaped([-1]).meanSquaredError(targets))
    }
  }

  /// Texts per batch of an evaluation.
  private static let evaluationBatch = 128

  /// Loss, quality of the predictions, and use of the experts on the test data.
  public func evaluate() throws -> [NamedValue] {
    guard let test else { return [] }
    var predictions: [TextClassifier.Prediction] = []
    var loss = 0.0
    // Batches of texts of similar length need the least padding.
    let order = (0..<test.count).sorted {
      (test.tokens[$0].ids.count, $0) < (test.tokens[$1].ids.count, $1)
    }
    for start in stride(from: 0, to: order.count, by: Self.evaluationBatch) {
      let batch = Array(order[start..<min(start + Self.evaluationBatch, order.count)])
      let output = model.mixture(views(of: batch, in: test))
      try model.check(output, of: batch.map { test.tokens[$0] })
      let part = predictionLoss(output.answers, batch, test).value.item(as: Float.self)
      loss += Double(part) * Double(batch.count)
      predictions += model.predictions(output)
    }
    var sorted = predictions
    for (place, text) in order.enumerated() { sorted[text] = predictions[place] }
    let evaluation = ClassificationEvaluation(model.configuration, test, sorted)
    self.evaluation = evaluation
    return [NamedValue("loss", loss / Double(test.count))] + evaluation.values
  }

  /// Which expert answered each text and each class in the last evaluation.
  public func evaluationFiles() -> [ModelFile] { evaluation?.files ?? [] }

  /// Configuration and tokenizer.
  public func modelFiles() -> [ModelFile] { files }
}

@available(*, unavailable)
extension ClassificationTask: Sendable {}
