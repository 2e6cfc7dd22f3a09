public import MoEData
public import MoECore
import Foundation
public import MoEModels
import MoERouting
public import MoETensor

/// Trains a decoder to predict the next token.
///
///     loss = cross-entropy + balance coefficient · load-balancing loss + z coefficient · router z-loss
public final class LanguageTask: TrainingTask {
  /// Across what the load-balancing loss balances the load.
  public enum BalanceScope: String, Hashable, Sendable, CaseIterable {
    /// Each layer separately; the loss is the mean over the layers.
    case layer
    /// All layers together, as transformers computes it: an expert may starve in one layer if the
    /// experts with the same index in other layers are busy.
    case model
  }

  /// How the loss is computed and batches are drawn.
  public struct Settings: Hashable, Sendable {
    /// Windows per batch; at least 1.
    public var batchSize: Int
    /// Coefficient of the load-balancing loss; 0 leaves it out.
    public var balance: Double
    /// Across what the load is balanced.
    public var balanceScope = BalanceScope.layer
    /// Coefficient of the router z-loss; 0 leaves it out.
    public var z: Double
    /// Change of selection biases per step, where the router has any.
    public var biasRate: Double
    /// Whether layers are recomputed in the backward pass.
    public var recomputes: Bool
    /// Maximum number of windows of an evaluation, spread evenly over the data.
    public var evaluationWindows: Int

    /// Creates settings.
    public init(
      batchSize: Int, balance: Double = 0, z: Double = 0, biasRate: Double = 0.001,
      recomputes: Bool = false, evaluationWindows: Int = 64
    ) {
      (self.batchSize, self.balance, self.z, self.biasRate) = (batchSize, balance, z, biasRate)
      (self.recomputes, self.evaluationWindows) = (recomputes, evaluationWindows)
    }
  }

  /// The model.
  public let model: MoEDecoder
  /// The weights that are trained: all but selection biases.
  public let weights: [NamedParameter]
  /// The selection biases, one per sparse layer, if the router has any.
  public let buffers: [NamedParameter]
  private let settings: Settings
  private let windows: TokenWindows
  private let validation: TokenWindows?
  private let files: [ModelFile]
  private let device: Device
  private var order: ShuffledOrder

  /// Prepares to train a model.
  ///
  /// - Parameters:
  ///   - model: The model, with its weights on `device`.
  ///   - windows: What to train on.
  ///   - validation: What to evaluate on, if anything.
  ///   - settings: How to train.
  ///   - seed: Determines the order of the windows.
  ///   - files: Files of the model's folder besides weights.
  ///   - device: Where to compute.
  public init(
    _ model: MoEDecoder, windows: TokenWindows, validation: TokenWindows? = nil, settings: Settings,
    seed: UInt64, files: [ModelFile] = [], device: Device = .cpu
  ) {
    precondition(
      !settings.recomputes || model.canRecompute,
      "a router that draws random numbers cannot be recomputed")
    (self.model, self.windows, self.validation) = (model, windows, validation)
    (self.settings, self.files, self.device) = (settings, files, device)
    let named = model.parameters
    weights = named.filter { !WeightNames.isSelectionBias($0.name) }
    buffers = named.filter { WeightNames.isSelectionBias($0.name) }
    order = ShuffledOrder(count: windows.count, seed: seed)
  }

  /// The next window's position in the shuffled order.
  public var position: DataPosition {
    get { order.position }
    set {
      // A position of other data is rejected where it is read; this one is valid.
      order = ShuffledOrder(count: windows.count, seed: order.seed, position: newValue)
    }
  }

  /// The next windows, shape `[batch, context + 1]`.
  public func nextBatch() throws -> Tensor {
    try windows.windows((0..<settings.batchSize).map { _ in order.next() })
  }

  /// The loss of windows, shape `[batch, context + 1]`.
  public func loss(_ batch: Tensor, random: RandomSource) throws -> TaskLoss {
    let (inputs, targets) = split(batch)
    let output = settings.recomputes ? try model.recomputing(inputs) : model(inputs, random: random)
    var parts = [TaskLoss.Part("cross_entropy", Self.crossEntropy(output.logits, targets))]
    if !output.sparse.isEmpty, settings.balance != 0 {
      parts.append(
        .init("balance", balanceLoss(output.sparse), coefficient: settings.balance))
    }
    if !output.sparse.isEmpty, settings.z != 0 {
      parts.append(.init("router_z", Self.zLoss(output.sparse), coefficient: settings.z))
    }
    return TaskLoss(
      parts: parts, routing: output.sparse.map { LayerRouting($0.routing) }, units: targets.count)
  }

  /// Adjusts the selection biases to balance the load.
  public func stepEnded(routing: [LayerRouting]) {
    guard settings.biasRate > 0 else { return }
    for (bias, layer) in zip(buffers, routing) {
      bias.parameter.assign(
        SelectionBias.updated(bias.parameter.value, load: layer.load, rate: settings.biasRate))
    }
  }

  /// Mean loss and perplexity over the validation windows.
  public func evaluate() throws -> [NamedValue] {
    guard let validation else { return [] }
    let count = min(settings.evaluationWindows, validation.count)
    // Evenly spaced windows, the same at every evaluation.
    let chosen = (0..<count).map { $0 * validation.count / count }
    var (sum, tokens) = (0.0, 0)
    for start in stride(from: 0, to: count, by: settings.batchSize) {
      let numbers = Array(chosen[start..<min(start + settings.batchSize, count)])
      let (inputs, targets) = split(try validation.windows(numbers))
      let logits = model(inputs).logits
      if !logits.isAllFinite { try refuse(inputs) }
      let loss = Self.crossEntropy(logits, targets).item(as: Float.self)
      sum += Double(loss) * Double(targets.count)
      tokens += targets.count
    }
    let loss = sum / Double(tokens)
    return [NamedValue("loss", loss), NamedValue("perplexity", exp(loss))]
  }

  /// Says where the scores of windows stop being finite.
  private func refuse(_ inputs: Tensor) throws(NonFiniteScores) {
    for window in 0..<inputs.size(0) {
      let tokens = inputs[window]
      let logits = model(tokens.reshaped([1, -1])).logits
      try model.check(logits, of: tokens.array(of: Int.self))
    }
    // Only the whole batch shows it, as where experts choose from all of it.
    throw NonFiniteScores(
      place: nil, position: nil, dtype: model.parameters[0].parameter.value.dtype)
  }

  /// Configuration and tokenizer.
  public func modelFiles() -> [ModelFile] { files }

  private func split(_ batch: Tensor) -> (inputs: Tensor, targets: Tensor) {
    let tokens = batch.moved(to: device)
    let context = tokens.size(1) - 1
    return (
      tokens.slice(axis: 1, 0..<context).contiguous(),
      tokens.slice(axis: 1, 1..<context + 1).reshaped([-1])
    )
  }

  private static func crossEntropy(_ logits: Tensor, _ targets: Tensor) -> Tensor {
    logits.reshaped([targets.count, logits.size(2)]).cast(to: .f32).crossEntropy(targets: targets)
  }

  private func balanceLoss(_ sparse: [MoELayer.Output]) -> Tensor {
    guard settings.balanceScope == .layer else { return model.balanceLoss(sparse) }
    let losses = sparse.map { layer in
      RoutingLosses.loadBalance(
        probabilities: layer.routing.probabilities, load: layer.routing.load, denominator: .tokens)
    }
    return Tensor.stacked(losses).mean()
  }

  /// The z-loss, averaged over the layers; of a gate with noise columns, the clean ones only.
  private static func zLoss(_ sparse: [MoELayer.Output]) -> Tensor {
    let losses = sparse.map { layer in
      RoutingLosses.z(logits: layer.logits.slice(axis: 1, 0..<layer.routing.expertCount))
    }
    return Tensor.stacked(losses).mean()
  }
}

@available(*, unavailable)
extension LanguageTask: Sendable {}
