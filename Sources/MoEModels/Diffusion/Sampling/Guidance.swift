import MoECore
public import MoETensor

/// A model that removes noise from images, such as a `DiffusionTransformer`.
public protocol Denoiser: AnyObject {
  /// Channels, rows and columns of an image.
  var imageShape: [Int] { get }
  /// What is predicted.
  var objective: DiffusionConfiguration.Objective { get }
  /// Number of classes; labels are from 0 to one less.
  var classes: Int { get }
  /// The null label, if there is one.
  var nullLabel: Int? { get }
  /// Whether images are treated independently of the others in their batch.
  var treatsImagesAlone: Bool { get }

  /// Predicts the noise or velocity of noisy images.
  ///
  /// - Parameters:
  ///   - images: Shape `[batch, channels, rows, columns]`, f32.
  ///   - times: From 0 to 1000, shape `[batch]`.
  ///   - labels: Of each image.
  /// - Returns: The prediction, then variances if the model predicts them, in `channels` or twice
  ///   as many channels.
  func predict(_ images: Tensor, times: Tensor, labels: [Int]) -> Tensor

  /// Says where the model's numbers stop being finite, when a prediction is not; by default without a place.
  ///
  /// - Parameters:
  ///   - images: Shape `[batch, channels, rows, columns]`, f32.
  ///   - times: From 0 to 1000, shape `[batch]`.
  ///   - labels: Of each image.
  /// - Returns: The error to throw.
  func nonFinite(_ images: Tensor, times: Tensor, labels: [Int]) -> NonFiniteScores
}

extension DiffusionTransformer: Denoiser {
  /// Channels, rows and columns of an image.
  public var imageShape: [Int] {
    [configuration.channels, configuration.imageSize, configuration.imageSize]
  }
  /// What is predicted.
  public var objective: DiffusionConfiguration.Objective { configuration.objective }
  /// Number of classes.
  public var classes: Int { configuration.classes }
  /// The null label, if there is one.
  public var nullLabel: Int? { configuration.hasNullLabel ? configuration.classes : nil }

  /// Predicts without recording gradients.
  public func predict(_ images: Tensor, times: Tensor, labels: [Int]) -> Tensor {
    withoutGradients { self(images, times: times, labels: labels).prediction }
  }
}

/// Classifier-free guidance: goes further in the direction in which the label changes the prediction.
///
///     prediction = p(null) + scale · (p(label) − p(null))
///
/// Variances are those of the prediction with the label. With a scale of 1, and outside the
/// interval, the prediction with the label is used unchanged.
///
/// - SeeAlso: Ho and Salimans 2022, *Classifier-Free Diffusion Guidance*,
///   [arXiv:2207.12598](https://arxiv.org/abs/2207.12598); Kynkäänniemi et al. 2024, *Applying Guidance in a Limited
///   Interval*, [arXiv:2404.07724](https://arxiv.org/abs/2404.07724).
public struct Guidance: Hashable, Sendable {
  /// The guidance scale, at least 1.
  public var scale: Double
  /// Times at which guidance is used, from 0 (no noise) to 1 (pure noise).
  public var interval: ClosedRange<Double>
  /// Whether both predictions are made in one batch of twice the size; the result is the same.
  public var isConcatenated: Bool

  /// Creates guidance; by default there is none.
  public init(
    scale: Double = 1, interval: ClosedRange<Double> = 0...1, isConcatenated: Bool = false
  ) {
    (self.scale, self.interval, self.isConcatenated) = (scale, interval, isConcatenated)
  }

  /// Checks that a model supports this guidance.
  ///
  /// - Throws: `SettingError` for values out of range, ``ImageSamplingError`` for a model that cannot be guided so.
  package func check(_ model: some Denoiser) throws {
    guard scale.isFinite, scale >= 1 else {
      throw SettingError(
        key: "guidance", value: "\(scale)", expected: "a finite number of at least 1")
    }
    guard interval.lowerBound >= 0, interval.upperBound <= 1 else {
      throw SettingError(
        key: "guidance interval", value: "\(interval)", expected: "between 0 and 1")
    }
    guard scale > 1 else { return }
    guard model.nullLabel != nil else { throw ImageSamplingError.noNullLabel }
    guard !isConcatenated || model.treatsImagesAlone else {
      throw ImageSamplingError.dependsOnBatch
    }
  }

  /// The guided prediction.
  ///
  /// - Parameters:
  ///   - model: A model that passed ``check(_:)``.
  ///   - images: Shape `[batch, channels, rows, columns]`.
  ///   - time: From 0 to 1000, the same for all.
  ///   - labels: Of each image.
  /// - Returns: The model's output, f32.
  /// - Throws: ``NonFiniteScores`` when the output means nothing.
  func predict(
    _ model: some Denoiser, _ images: Tensor, time: Double, labels: [Int]
  ) throws(NonFiniteScores) -> Tensor {
    func output(_ images: Tensor, _ labels: [Int]) throws(NonFiniteScores) -> Tensor {
      let times = Tensor.full(time, [labels.count], on: images.device)
      let found = model.predict(images, times: times, labels: labels).cast(to: .f32)
      guard found.isAllFinite else { throw model.nonFinite(images, times: times, labels: labels) }
      return found
    }
    guard scale > 1, interval.contains(time / RectifiedFlow.timeScale), let null = model.nullLabel
    else {
      return try output(images, labels)
    }
    let empty = Array(repeating: null, count: labels.count)
    let both: [Tensor]
    if isConcatenated {
      both = try output(Tensor.concatenated([images, images], axis: 0), labels + empty)
        .split(count: 2, axis: 0)
    } else {
      both = [try output(images, labels), try output(images, empty)]
    }
    let channels = images.size(1)
    let (label, variance) = both[0].parts(channels: channels)
    let nothing = both[1].parts(channels: channels).prediction
    let guided = nothing + (label - nothing) * scale
    return variance.map { Tensor.concatenated([guided, $0], axis: 1) } ?? guided
  }
}

/// Why images cannot be made.
public enum ImageSamplingError: Error, Hashable {
  /// The model predicts something other than the sampler needs.
  case otherObjective(method: String, objective: String, methods: [String])
  /// Guidance needs a model that was trained with label dropout.
  case noNullLabel
  /// Guidance in one batch needs a model that treats images independently.
  case dependsOnBatch
}

extension ImageSamplingError: CustomStringConvertible {
  /// What is wrong and what to change.
  public var description: String {
    switch self {
    case .otherObjective(let method, let objective, let methods):
      "the sampler '\(method)' does not fit a model trained for '\(objective)'; use \(methods.joined(separator: " or "))"
    case .noNullLabel:
      "guidance above 1 needs a model that was trained with label dropout; this one has label_dropout 0; use a guidance of 1"
    case .dependsOnBatch:
      "guidance in one batch would change the images of this model, whose experts choose from the whole batch; use two passes"
    }
  }
}
