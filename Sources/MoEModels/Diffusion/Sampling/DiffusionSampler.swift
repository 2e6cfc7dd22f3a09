public import MoECore
public import MoETensor

/// Makes images from noise.
///
/// Image i of a seed is the same regardless of the other images in its batch, except for rounding
/// and for models whose experts choose from the whole batch.
public struct DiffusionSampler: Hashable, Sendable {
  /// The sampling method.
  public enum Method: String, Hashable, Codable, Sendable, CaseIterable {
    /// Follows the velocity in straight steps.
    case euler
    /// Follows the mean of the velocities at both ends of each step; two predictions per step.
    case heun
    /// Draws each step from the predicted distribution (DDPM).
    case ancestral
    /// Steps without new noise (DDIM).
    case ddim

    /// What a model must predict.
    public var objective: DiffusionConfiguration.Objective {
      self == .euler || self == .heun ? .rectifiedFlow : .noisePrediction
    }

    /// The highest number of steps: those that predict noise have only as many times as they were trained at.
    public var mostSteps: Int {
      objective == .rectifiedFlow ? 100_000 : NoiseSchedule.length
    }
  }

  /// The sampling method.
  public let method: Method
  /// Number of steps.
  public let steps: Int
  /// Use of the label.
  public let guidance: Guidance
  /// For methods that predict noise: whether predicted clean images are clipped to between -1 and
  /// 1.
  public let limitsImages: Bool

  /// Creates a sampler.
  ///
  /// - Parameters:
  ///   - method: The sampling method.
  ///   - steps: At least 1; at most 1000 for methods that predict noise.
  ///   - guidance: Use of the label.
  ///   - limitsImages: For methods that predict noise: whether predicted clean images are clipped
  ///     to between -1 and 1, the range of pixels.
  /// - Throws: `SettingError` for steps out of range.
  public init(
    _ method: Method, steps: Int, guidance: Guidance = Guidance(), limitsImages: Bool = false
  ) throws(SettingError) {
    guard 1...method.mostSteps ~= steps else {
      throw SettingError(key: "steps", value: "\(steps)", expected: "in 1…\(method.mostSteps)")
    }
    (self.method, self.steps, self.guidance) = (method, steps, guidance)
    self.limitsImages = limitsImages
  }

  /// The images during sampling and at its end.
  public struct Progress {
    /// Completed steps, from 0.
    public var step: Int
    /// Time, from 1 (pure noise) to 0.
    public var time: Double
    /// Shape `[images, channels, rows, columns]`, f32.
    public var images: Tensor
  }

  /// Makes images.
  ///
  /// - Parameters:
  ///   - model: The model that removes the noise.
  ///   - labels: The label of each image, from 0; the null label, if there is one, is the number of
  ///     classes.
  ///   - seed: Determines all noise.
  ///   - first: Index of the first image, so that images of one seed can be made in parts.
  ///   - device: The model's device.
  ///   - observe: Called with the noise and after each step.
  /// - Returns: Shape `[images, channels, rows, columns]`, f32; pixels lie between -1 and 1, but nothing holds them
  ///   there.
  /// - Throws: ``ImageSamplingError`` when the model does not fit, and `SettingError` for a label or guidance out of
  ///   range, before work starts; ``NonFiniteScores`` when a prediction means nothing; or what `observe` throws.
  public func images(
    from model: some Denoiser, labels: [Int], seed: UInt64, first: Int = 0,
    on device: Device = .cpu,
    observe: (Progress) throws -> Void = { _ in }
  ) throws -> Tensor {
    try check(model, labels: labels)
    let sources = labels.indices.map { RandomSource(seed: Self.seed(seed, image: first + $0)) }
    func noise() -> Tensor {
      Tensor.stacked(sources.map { $0.normal(model.imageShape) }).moved(to: device)
    }
    guard !labels.isEmpty else { return Tensor.zeros([0] + model.imageShape, on: device) }
    return try withoutGradients { () throws -> Tensor in
      switch method.objective {
      case .rectifiedFlow:
        try follow(model, from: noise(), labels: labels, observe: observe)
      case .noisePrediction:
        try walk(model, from: noise(), labels: labels, noise: { _ in noise() }, observe: observe)
      }
    }
  }

  func check(_ model: some Denoiser, labels: [Int]) throws {
    guard method.objective == model.objective else {
      throw ImageSamplingError.otherObjective(
        method: method.rawValue, objective: model.objective.rawValue,
        methods: Method.allCases.filter { $0.objective == model.objective }.map(\.rawValue))
    }
    try guidance.check(model)
    let most = model.nullLabel ?? model.classes - 1
    guard let wrong = labels.first(where: { !(0...most ~= $0) }) else { return }
    throw SettingError(
      key: "label", value: "\(wrong)", expected: "in 0…\(model.classes - 1), the model's classes")
  }

  private static func seed(_ seed: UInt64, image: Int) -> UInt64 {
    var generator = SeededGenerator(seed: seed &+ UInt64(image) &* 0x9E37_79B9_7F4A_7C15)
    return generator.next()
  }

  /// Follows the velocity from time 1 to 0, in steps of equal length.
  func follow(
    _ model: some Denoiser, from noise: Tensor, labels: [Int],
    observe: (Progress) throws -> Void = { _ in }
  ) throws -> Tensor {
    func velocity(_ images: Tensor, at time: Double) throws -> Tensor {
      try guidance.predict(model, images, time: RectifiedFlow.timeScale * time, labels: labels)
        .parts(channels: images.size(1)).prediction
    }
    var images = noise
    try observe(Progress(step: 0, time: 1, images: images))
    for step in 0..<steps {
      let time = 1 - Double(step) / Double(steps)
      let next = 1 - Double(step + 1) / Double(steps)
      let start = try velocity(images, at: time)
      let straight = images + start * (next - time)
      images =
        method == .euler
        ? straight : images + (start + (try velocity(straight, at: next))) * ((next - time) / 2)
      try observe(Progress(step: step + 1, time: next, images: images))
    }
    return images
  }

  /// Removes the noise step by step.
  ///
  /// - Parameters:
  ///   - model: The model that predicts the noise.
  ///   - start: Pure noise.
  ///   - labels: Of each image.
  ///   - noise: New noise for a step, which is numbered as in the schedule.
  ///   - observe: Called with the noise and after each step.
  /// - Returns: The images.
  /// - Throws: What `observe` throws.
  func walk(
    _ model: some Denoiser, from start: Tensor, labels: [Int], noise: (Int) -> Tensor,
    observe: (Progress) throws -> Void = { _ in }
  ) throws -> Tensor {
    let process = NoisePrediction(try NoiseSchedule(steps: steps))
    let schedule = process.schedule
    var images = start
    try observe(Progress(step: 0, time: 1, images: images))
    for step in (0..<steps).reversed() {
      let output = try guidance.predict(
        model, images, time: Double(schedule.times[step]), labels: labels)
      let (predicted, variance) = output.parts(channels: images.size(1))
      let all = Array(repeating: step, count: labels.count)
      if method == .ancestral {
        let found = process.distribution(
          images, noise: predicted, variance: variance, steps: all, limit: limitsImages)
        images =
          step == 0 ? found.mean : found.mean + (found.logVariance * 0.5).exp() * noise(step)
      } else {
        let clean = process.clean(images, noise: predicted, steps: all, limit: limitsImages)
        // If the clean image was clipped, the noise that leads to it.
        let direction =
          limitsImages
          ? (images - clean * schedule.kept[step].squareRoot())
            / (1 - schedule.kept[step]).squareRoot() : predicted
        let before = schedule.keptBefore(step)
        images = clean * before.squareRoot() + direction * (1 - before).squareRoot()
      }
      let time = step == 0 ? 0 : Double(schedule.times[step - 1]) / RectifiedFlow.timeScale
      try observe(Progress(step: steps - step, time: time, images: images))
    }
    return images
  }
}
