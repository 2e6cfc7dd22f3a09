package import MoECore
public import MoEData
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
  /// Strength of guidance, at least 1.
  public var guidance: Double
  /// Times at which guidance is used, from 0, the image, to 1, only noise.
  public var interval: ClosedRange<Double>

  /// Describes pictures.
  public init(
    perClass: Int = 4, method: DiffusionSampler.Method? = nil, steps: Int = 40,
    guidance: Double = 1, interval: ClosedRange<Double> = 0...1
  ) {
    (self.perClass, self.method, self.steps) = (perClass, method, steps)
    (self.guidance, self.interval) = (guidance, interval)
  }

  package init(_ json: ConfigurationObject) throws {
    self.init(
      perClass: try json.optionalInt("samples", in: 0...64) ?? 4,
      method: json.has("sampler") ? try json.choice("sampler") : nil,
      steps: try json.optionalInt("sampling_steps", in: 1...1000) ?? 40,
      guidance: try Self.guidance(json), interval: try Self.interval(json))
  }

  private static func guidance(_ json: ConfigurationObject) throws -> Double {
    let scale = try json.optionalNumber("guidance") ?? 1
    guard scale >= 1 else { throw json.invalid("guidance", "a number of at least 1") }
    return scale
  }

  private static func interval(_ json: ConfigurationObject) throws -> ClosedRange<Double> {
    guard json.has("guidance_interval") else { return 0...1 }
    guard case .array(let items) = json.values["guidance_interval"], items.count == 2,
      case (.number(let low), .number(let high)) = (items[0], items[1]), 0 <= low, low <= high,
      high <= 1
    else {
      throw json.invalid(
        "guidance_interval", "two times from 0 to 1, the lower one first, such as [0.1, 0.8]")
    }
    return low...high
  }

  package var resolved: JSONObject {
    [
      "samples": .number(Double(perClass)), "sampling_steps": .number(Double(steps)),
      "guidance": .number(guidance),
      "guidance_interval": .array([.number(interval.lowerBound), .number(interval.upperBound)]),
    ]
  }

  package func sampler(for model: DiffusionTransformer) throws -> DiffusionSampler {
    try DiffusionSampler(
      method ?? .default(for: model.objective), steps: steps,
      guidance: Guidance(scale: guidance, interval: interval),
      limitsImages: model.configuration.channels <= 3)
  }

  /// Refuses settings that do not fit the model, before it is trained.
  package func check(_ model: DiffusionTransformer) throws {
    _ = try sampler(for: model).images(from: model, labels: [], seed: 0)
  }

  /// A sheet with a row per class; `nil` for latents, which are no pictures.
  package func sheet(of model: DiffusionTransformer, classes: Int, device: Device) throws -> Pixels?
  {
    guard perClass > 0, [1, 3].contains(model.configuration.channels) else { return nil }
    let shown = min(classes, Self.largestClassCount)
    let labels = (0..<shown).flatMap { Array(repeating: $0, count: perClass) }
    let images = try sampler(for: model).images(
      from: model, labels: labels, seed: 0, batchSize: DiffusionSampler.usualBatch, on: device)
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
