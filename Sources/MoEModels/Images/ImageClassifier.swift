import MoECore
public import MoETensor
public import SystemPackage

/// A small residual network that classifies images, and whose last hidden layer gives their
/// features.
///
///     h = relu(norm(convolution(pixels)))
///     three thirds of n blocks, each: h = relu(norm(convolution(relu(norm(convolution(h))))) + h)
///     features = mean of h over all positions;  logits = linear(features)
///
/// The second and the last third begin with a stride of 2 and twice the channels; the shortcut
/// there is every second position of `h`, padded with channels of zeros. With depth 20 and width 16
/// it is the ResNet-20 for CIFAR-10, and names of weights are those of its best-known
/// implementation.
///
/// - SeeAlso: He et al. 2016, *Deep Residual Learning for Image Recognition*, §4.2,
///   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385).
public final class ImageClassifier {
  /// The architecture and the names of the classes.
  public let configuration: ImageClassifierConfiguration
  /// The trained weights by name.
  public let parameters: [NamedParameter]
  /// Running means and variances of channels.
  public let statistics: [NamedParameter]
  private let first: Convolution
  private let blocks: [Block]
  private let final: Linear

  /// Keeps constant channels finite.
  private static let epsilon = 1e-5

  /// A 3×3 convolution and the normalization of its channels.
  private struct Convolution {
    /// `[outputs, inputs, 3, 3]`.
    let weight: Parameter
    let norm: (weight: Parameter, bias: Parameter, mean: Parameter, variance: Parameter)

    func callAsFunction(_ x: Tensor, stride: Int, batch: inout [Tensor]?) -> Tensor {
      let y = x.convolved2D(weight.value, stride: stride, padding: 1)
      if batch != nil {
        batch?.append(contentsOf: Self.statistics(y.detached()))
        return y.batchNorm(
          weight: norm.weight.value, bias: norm.bias.value, epsilon: ImageClassifier.epsilon)
      }
      return y.batchNorm(
        weight: norm.weight.value, bias: norm.bias.value,
        statistics: (norm.mean.value, norm.variance.value), epsilon: ImageClassifier.epsilon)
    }

    /// Mean and unbiased variance of each channel.
    private static func statistics(_ y: Tensor) -> [Tensor] {
      withoutGradients {
        let rows = y.permuted([1, 0, 2, 3]).reshaped([y.size(1), -1])
        return [rows.mean(axis: 1), rows.variance(axis: 1, correction: 1)]
      }
    }
  }

  private struct Block {
    let first: Convolution
    let second: Convolution
    let stride: Int

    func callAsFunction(_ x: Tensor, batch: inout [Tensor]?) -> Tensor {
      let inner = first(x, stride: stride, batch: &batch).relu()
      return (second(inner, stride: 1, batch: &batch) + shortcut(x)).relu()
    }

    private func shortcut(_ x: Tensor) -> Tensor {
      guard stride > 1 else { return x }
      let missing = x.size(1)
      return x.slice(axis: 2, 0..<x.size(2), step: stride).slice(
        axis: 3, 0..<x.size(3), step: stride
      ).padded(axis: 1, before: missing / 2, after: missing - missing / 2)
    }
  }

  /// Builds a model of the given architecture with weights from a source.
  ///
  /// - Throws: What the source throws.
  public init(
    _ configuration: ImageClassifierConfiguration, weights: some WeightSource
  ) throws {
    self.configuration = configuration
    var parameters: [NamedParameter] = []
    var statistics: [NamedParameter] = []
    func weight(_ name: String, _ shape: [Int], _ start: WeightStart) throws -> Parameter {
      let parameter = try weights.weight(name, shape, start: start)
      parameters.append(NamedParameter(name, parameter))
      return parameter
    }
    func statistic(_ name: String, _ count: Int, _ start: WeightStart) throws -> Parameter {
      let parameter = try weights.weight(name, [count], start: start)
      statistics.append(NamedParameter(name, parameter))
      return parameter
    }
    func convolution(
      _ prefix: String, _ number: Int, _ inputs: Int, _ outputs: Int
    ) throws -> Convolution {
      let norm = "\(prefix)bn\(number)"
      // Kaiming's normal initialization: √(2 / inputs of a position).
      return Convolution(
        weight: try weight(
          "\(prefix)conv\(number).weight", [outputs, inputs, 3, 3],
          .normal((2 / Double(9 * inputs)).squareRoot())),
        norm: (
          try weight(norm + ".weight", [outputs], .ones),
          try weight(norm + ".bias", [outputs], .zeros),
          try statistic(norm + ".running_mean", outputs, .zeros),
          try statistic(norm + ".running_var", outputs, .ones)
        ))
    }
    let width = configuration.width
    first = try convolution("", 1, configuration.channels, width)
    var blocks: [Block] = []
    for third in 0..<3 {
      for place in 0..<configuration.blocks {
        let outputs = width << third
        let starts = third > 0 && place == 0
        let prefix = "layer\(third + 1).\(place)."
        blocks.append(
          Block(
            first: try convolution(prefix, 1, starts ? outputs / 2 : outputs, outputs),
            second: try convolution(prefix, 2, outputs, outputs), stride: starts ? 2 : 1))
      }
    }
    self.blocks = blocks
    let classes = configuration.labels.count
    final = Linear(
      weight: try weight(
        "linear.weight", [classes, configuration.features],
        .normal((2 / Double(configuration.features)).squareRoot())),
      bias: try weight("linear.bias", [classes], .zeros))
    (self.parameters, self.statistics) = (parameters, statistics)
  }

  /// The output for images.
  public struct Output {
    /// The features of each image, shape `[images, features]`.
    public var features: Tensor
    /// Logits, shape `[images, classes]`.
    public var logits: Tensor
    /// In training, mean and variance of each layer's channels in this batch, in the order of ``statistics``.
    public var batch: [Tensor]
  }

  /// Applies the model to images.
  ///
  /// - Parameters:
  ///   - images: Shape `[images, channels, rows, columns]`, f32, pixels from -1 to 1.
  ///   - training: Whether channels are normalized by this batch instead of the running statistics.
  /// - Returns: Features and logits.
  public func callAsFunction(_ images: Tensor, training: Bool = false) -> Output {
    run(images, training: training) { _, _, _ in }
  }

  /// Applies the model; `watch` is shown the result of each part, with the part's name and the prefix of its weights'.
  func run(
    _ images: Tensor, training: Bool,
    watch: (_ part: String, _ prefix: String, Tensor) -> Void
  ) -> Output {
    let c = configuration
    require(
      images.rank == 4
        && images.shape.dropFirst().elementsEqual([c.channels, c.imageSize, c.imageSize]),
      "images of \(images.shape) for a classifier of \(c.channels)×\(c.imageSize)×\(c.imageSize)")
    func perChannel(_ numbers: [Double]) -> Tensor {
      Tensor(numbers.map { Float($0) }, shape: [1, c.channels, 1, 1]).moved(to: images.device)
    }
    var batch: [Tensor]? = training ? [] : nil
    let pixels = (images * 0.5 + 0.5 - perChannel(c.mean)) / perChannel(c.deviation)
    var hidden = first(pixels, stride: 1, batch: &batch).relu()
    watch("the first convolution", "", hidden)
    for (place, block) in blocks.enumerated() {
      hidden = block(hidden, batch: &batch)
      let prefix = "layer\(place / c.blocks + 1).\(place % c.blocks)."
      watch("block \(place)", prefix, hidden)
    }
    let features = hidden.mean(axes: [2, 3])
    return Output(features: features, logits: final(features), batch: batch ?? [])
  }

  /// Updates the running statistics with those of a training batch.
  ///
  /// - Parameters:
  ///   - batch: The batch's statistics, ``Output/batch``.
  ///   - share: The batch's weight in the running average.
  public func learn(from batch: [Tensor], share: Double = 0.1) {
    withoutGradients {
      for (named, value) in zip(statistics, batch) {
        let statistic = named.parameter
        statistic.assign(statistic.value * (1 - share) + value * share)
      }
    }
  }

  /// Opens a model folder, `config.json` and safetensors, or the result of a training run.
  ///
  /// - Throws: ``ModelError``, `ConfigurationError`, `SafetensorsError` or `FileError`.
  public static func open(_ path: FilePath) throws -> ImageClassifier {
    let path = try ModelLocation(path).path
    let configuration = try ImageClassifierConfiguration(
      ConfigurationObject(path.appending("config.json")))
    let checkpoint = try SafetensorsCheckpoint(path)
    return try ImageClassifier(configuration, weights: CheckpointWeights(checkpoint, dtype: .f32))
  }
}

@available(*, unavailable)
extension ImageClassifier: Sendable {}
