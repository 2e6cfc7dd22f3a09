public import MoECore
import MoERouting
public import MoETensor

/// A transformer that removes noise from images, with Mixture-of-Experts blocks, as one readable program.
///
///     h = patches(image) + positions
///     c = time network(time) + label vector
///     for each block:  h = h + gate · attention(modulated(h, c));  h = h + gate · experts(modulated(h, c), label)
///     output = unpatched(linear(modulated(h, c)))
///
/// ``DiffusionConfiguration`` determines its size and the rule that assigns tokens to experts.
/// Names of weights are those of the paper's code.
///
/// - SeeAlso: Peebles and Xie 2022, *Scalable Diffusion Models with Transformers*,
///   [arXiv:2212.09748](https://arxiv.org/abs/2212.09748); *Routing Matters in MoE: Scaling Diffusion Transformers
///   with Explicit Routing Guidance*, [arXiv:2510.24711](https://arxiv.org/abs/2510.24711).
public final class DiffusionTransformer {
  /// The architecture.
  public let configuration: DiffusionConfiguration
  /// The trained weights by name, in the order in which the forward pass uses them.
  public let parameters: [NamedParameter]
  /// Other stored state: positions, thresholds, centroids.
  public let buffers: [NamedParameter]
  let blocks: [DiffusionBlock]
  private let patches: (weight: Parameter, bias: Parameter)
  private let positions: Parameter
  private let time: (first: Linear, second: Linear)
  private let labelTable: Parameter
  private let finalModulation: Linear
  private let final: Linear

  /// Builds a model of the given architecture with weights from a source.
  ///
  /// - Parameters:
  ///   - configuration: The architecture.
  ///   - weights: The source of the weights, dense or in another form.
  ///   - banks: Who may run the experts.
  /// - Throws: What the source throws, and `SettingError` for a router that does not fit.
  public init(
    _ configuration: DiffusionConfiguration, weights: some WeightSource,
    banks: ExpertBanks = .standard
  ) throws {
    let builder = DiffusionBuilder(configuration, weights: weights, banks: banks)
    let width = configuration.hiddenSize
    self.configuration = configuration
    patches = try builder.patches()
    positions = try builder.positions()
    time = (
      try builder.linear(
        "t_embedder.mlp.0", width, DiffusionEmbeddings.timeWidth, start: .normal(0.02)),
      try builder.linear("t_embedder.mlp.2", width, width, start: .normal(0.02))
    )
    labelTable = try builder.weight(
      "y_embedder.embedding_table.weight",
      [configuration.classes + (configuration.hasNullLabel ? 1 : 0), width], start: .normal(0.02))
    blocks = try (0..<configuration.depth).map { try builder.block($0) }
    let outputs = configuration.patchSize * configuration.patchSize * configuration.outputChannels
    final = try builder.linear("final_layer.linear", outputs, width, start: .zeros)
    finalModulation = try builder.linear(
      "final_layer.adaLN_modulation.1", 2 * width, width, start: .zeros)
    (parameters, buffers) = (builder.parameters, builder.buffers)
  }

  /// The result of a forward pass.
  public struct Output {
    /// Shape `[batch, outputChannels, rows, columns]`: the prediction, then the variance if it is learned.
    public var prediction: Tensor
    /// What the sparse blocks did, in order.
    public var sparse: [DiffusionExperts.Output]
  }

  /// Predicts the noise or velocity of noisy images.
  ///
  /// - Parameters:
  ///   - images: Shape `[batch, channels, rows, columns]`.
  ///   - times: Of each image, from 0 to 1000, f32, shape `[batch]`.
  ///   - labels: Of each image, from 0 to `classes - 1`, or `classes` for the null label if there
  ///     is one.
  ///   - pass: What the pass is for: rules may differ between training and use.
  ///   - observer: Notified which experts the tokens chose, if given.
  /// - Returns: The prediction and what the sparse blocks did.
  public func callAsFunction(
    _ images: Tensor, times: Tensor, labels: [Int], pass: DiffusionPass = .inference,
    observer: (any RoutingObserver)? = nil
  ) -> Output {
    let (start, condition) = embed(images, times: times, labels: labels)
    let known = known(labels)
    var hidden = start
    var sparse: [DiffusionExperts.Output] = []
    for block in blocks {
      let output = block(hidden, condition: condition, labels: known, pass: pass)
      hidden = output.hidden
      if let routed = output.routed { sparse.append(routed) }
    }
    if let observer { report(sparse, labels: labels, to: observer) }
    return Output(prediction: finished(hidden, condition: condition), sparse: sparse)
  }

  /// The patches with their positions, `[batch, tokens, width]`, and the condition after its
  /// activation function, `[batch, width]`.
  func embed(
    _ images: Tensor, times: Tensor, labels: [Int]
  ) -> (hidden: Tensor, condition: Tensor) {
    let c = configuration
    require(
      images.shape == [labels.count, c.channels, c.imageSize, c.imageSize]
        && times.shape == [labels.count],
      "images of \(images.shape), times of \(times.shape), \(labels.count) labels for \(c.title)"
    )
    let rows = labelTable.value.size(0)
    require(
      labels.allSatisfy { 0..<rows ~= $0 }, "labels \(labels.prefix(8)) for \(rows) known ones")
    let dtype = patches.weight.value.dtype
    let weight = patches.weight.value.reshaped([c.hiddenSize, -1])
    let cut = images.cast(to: dtype).patchified(patchSize: c.patchSize, order: .channelsFirst)
    let hidden = cut.linear(weight, bias: patches.bias.value) + positions.value.cast(to: dtype)
    let waves = DiffusionEmbeddings.times(times.cast(to: .f32)).cast(to: dtype)
    let label = labelTable.value.embedding(Tensor(labels).moved(to: images.device))
    let condition = time.second(time.first(waves).silu()) + label
    return (hidden, condition.silu())
  }

  /// The labels, and which of them are null.
  func known(_ labels: [Int]) -> DiffusionLabels {
    DiffusionLabels(
      values: labels,
      isNull: labels.map { configuration.hasNullLabel && $0 == configuration.classes })
  }

  func finished(_ hidden: Tensor, condition: Tensor) -> Tensor {
    let parts = finalModulation(condition).expandingAxis(1).split(count: 2, axis: 2)
    let rows = configuration.imageSize / configuration.patchSize
    return final(
      hidden.normalized(shift: parts[0], scale: parts[1], epsilon: DiffusionBlock.epsilon)
    )
    .unpatchified(
      patchSize: configuration.patchSize, order: .channelsLast, rows: rows, columns: rows)
  }

  /// Notifies an observer which experts the tokens of a pass chose; a token is reported as its
  /// image's label.
  private func report(
    _ sparse: [DiffusionExperts.Output], labels: [Int], to observer: any RoutingObserver
  ) {
    let tokens = configuration.tokens
    observer.beginPass(
      tokens: labels.flatMap { Array(repeating: Int32(clamping: $0), count: tokens) },
      sequenceLengths: Array(repeating: tokens, count: labels.count))
    for (place, output) in zip(configuration.sparseBlocks, sparse) {
      observer.observe(
        RoutingReport(output.routing, layer: place, withWeights: observer.wantsWeights))
    }
    observer.endPass()
  }

  /// Updates thresholds and centroids after a training batch; does nothing for rules without any.
  ///
  /// - Parameter sparse: What the sparse blocks did.
  public func learn(from sparse: [DiffusionExperts.Output]) {
    for (block, output) in zip(blocks.filter { $0.experts != nil }, sparse) {
      block.experts?.rule.learn(from: output.routed)
    }
  }

  /// Whether thresholds or centroids are updated by training batches.
  public var learnsFromRouting: Bool {
    configuration.experts?.router.rule.learnsFromRouting ?? false
  }

  /// Whether centroids must still be initialized from tokens.
  public var needsStart: Bool {
    blocks.contains { $0.experts?.rule.needsStart ?? false }
  }

  /// The prototypes of each sparse block, shape `[experts, width]`; empty for rules without any.
  public var prototypes: [Tensor] {
    blocks.compactMap { $0.experts?.rule.prototypes }
  }

  /// Whether images are generated independently of the others in their batch.
  public var treatsImagesAlone: Bool {
    configuration.experts?.router.rule.treatsImagesAlone ?? true
  }
}

@available(*, unavailable)
extension DiffusionTransformer: Sendable {}

extension DiffusionBlock {
  /// The block's experts, if it is sparse.
  var experts: DiffusionExperts? {
    if case .sparse(let experts) = network { experts } else { nil }
  }
}
