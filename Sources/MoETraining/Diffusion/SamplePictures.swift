import MoECore
public import MoEImages
public import MoEModels
public import MoETensor

/// Pictures of images that a model makes, drawn at every evaluation.
public struct SamplePictures: Hashable, Sendable {
  /// Images of each class; 0 for no pictures.
  public var perClass: Int
  /// Most classes that are shown.
  public static let largestClassCount = 16
  /// How images are made; `nil` for what fits the model.
  public var method: DiffusionSampler.Method?
  /// Steps of each image.
  public var steps: Int
  /// Strength of guidance.
  public var guidance: Double

  /// Describes pictures.
  public init(
    perClass: Int = 4, method: DiffusionSampler.Method? = nil, steps: Int = 40, guidance: Double = 1
  ) {
    (self.perClass, self.method) = (perClass, method)
    (self.steps, self.guidance) = (steps, guidance)
  }

  init(_ json: ConfigurationObject) throws {
    self.init(
      perClass: try json.optionalInt("samples", in: 0...64) ?? 4,
      method: json.has("sampler") ? try json.choice("sampler") : nil,
      steps: try json.optionalInt("sampling_steps", in: 1...1000) ?? 40,
      guidance: try json.optionalAmount("guidance") ?? 1)
  }

  var resolved: [String: ConfigurationObject.Value] {
    [
      "samples": .number(Double(perClass)), "sampling_steps": .number(Double(steps)),
      "guidance": .number(guidance),
    ]
  }

  func sampler(for model: DiffusionTransformer) throws -> DiffusionSampler {
    try DiffusionSampler(
      method ?? .default(for: model.objective), steps: steps, guidance: Guidance(scale: guidance),
      limitsImages: model.configuration.channels <= 3)
  }

  /// Refuses settings that do not fit the model, before it is trained.
  func check(_ model: DiffusionTransformer) throws {
    _ = try sampler(for: model).images(from: model, labels: [], seed: 0)
  }

  /// A sheet with a row per class; `nil` for latents, which are no pictures.
  func sheet(of model: DiffusionTransformer, classes: Int, device: Device) throws -> Pixels? {
    guard perClass > 0, [1, 3].contains(model.configuration.channels) else { return nil }
    let shown = min(classes, Self.largestClassCount)
    let labels = (0..<shown).flatMap { Array(repeating: $0, count: perClass) }
    let images = try sampler(for: model).images(
      from: model, labels: labels, seed: 0, on: device)
    let pixels = Pixels.images(images)
    return ContactSheet(columns: perClass, enlargement: max(1, 64 / pixels[0].width)).page(pixels)
  }
}

extension DiffusionSampler.Method {
  /// The plainest method for what a model predicts.
  public static func `default`(for objective: DiffusionConfiguration.Objective) -> Self {
    objective == .rectifiedFlow ? .euler : .ancestral
  }
}

extension Pixels {
  /// Makes pictures of images.
  ///
  /// - Parameter images: Shape `[images, channels, rows, columns]` with 1 or 3 channels; -1 is black, 1 white, and
  ///   what lies beyond is cut off.
  /// - Returns: A picture of each.
  public static func images(_ images: Tensor) -> [Pixels] {
    let bytes = (images.cast(to: .f32) * 127.5 + 127.5).clamped(min: 0, max: 255).rounded()
      .cast(to: .u8)
    let size = bytes.size(1) * bytes.size(2) * bytes.size(3)
    let all = bytes.contiguous().array(of: UInt8.self)
    return (0..<bytes.size(0)).map {
      Pixels(
        width: bytes.size(3), height: bytes.size(2), channels: bytes.size(1),
        planes: Array(all[$0 * size..<($0 + 1) * size]))
    }
  }
}
