public import MoECore

/// The architecture of an ``ImageClassifier``, and the meaning of its outputs.
///
///     {"model_type": "image_classifier", "image_size": 32, "channels": 3, "depth": 20, "width": 16,
///      "labels": ["airplane", "automobile"], "mean": [0.49, 0.48, 0.45], "deviation": [0.25, 0.24, 0.26]}
public struct ImageClassifierConfiguration: Hashable, Sendable {
  /// The `model_type` of these models in `config.json`.
  public static let modelType = "image_classifier"

  /// Rows and columns of an image.
  public var imageSize: Int
  /// Channels of an image, 1 or 3.
  public var channels: Int
  /// Layers with weights: 6 n + 2.
  public var depth: Int
  /// Channels of the first third; the second has twice as many, the last, which gives the features,
  /// four times.
  public var width: Int
  /// Names of the classes.
  public var labels: [String]
  /// Subtracted from each channel, for pixels from 0 to 1.
  public var mean: [Double]
  /// Each channel is then divided by this.
  public var deviation: [Double]

  /// Creates a configuration.
  ///
  /// - Precondition: `depth` is 6 n + 2, and there are a mean and a deviation per channel.
  public init(
    imageSize: Int, channels: Int, depth: Int = 8, width: Int = 16, labels: [String],
    mean: [Double], deviation: [Double]
  ) {
    precondition(
      depth >= 8 && (depth - 2).isMultiple(of: 6) && mean.count == channels
        && deviation.count == channels,
      "a classifier of depth \(depth) for \(channels) channels, \(mean.count) means")
    (self.imageSize, self.channels, self.depth) = (imageSize, channels, depth)
    (self.width, self.labels, self.mean, self.deviation) = (width, labels, mean, deviation)
  }

  /// Number of features: the channels of the last third.
  public var features: Int { 4 * width }
  /// Blocks of two layers in each third.
  var blocks: Int { (depth - 2) / 6 }
}

extension ImageClassifierConfiguration {
  /// Keys that a training configuration may set.
  package static let architectureKeys = ["depth", "width"]

  /// Reads a configuration and checks that a model can be built from it.
  ///
  /// - Throws: `ConfigurationError` that names the key; ``ModelError`` for another `model_type`.
  public init(_ json: ConfigurationObject) throws {
    let type = try json.optionalString("model_type") ?? ""
    guard type == Self.modelType else {
      throw ModelError.unsupportedFamily(path: json.path, name: type, supported: [Self.modelType])
    }
    try json.refuseKeys(
      except: ["model_type", "image_size", "channels", "labels", "mean", "deviation"]
        + Self.architectureKeys)
    let channels = try json.int("channels", in: 1...3)
    guard channels != 2 else { throw json.invalid("channels", "1 or 3") }
    guard let labels = try json.optionalStrings("labels"), 2...65_536 ~= labels.count,
      Set(labels).count == labels.count
    else { throw json.invalid("labels", "a list of at least two different names") }
    let (depth, width) = try Self.architecture(json)
    self.init(
      imageSize: try json.int("image_size", in: 4...4096), channels: channels, depth: depth,
      width: width, labels: labels, mean: try Self.numbers(json, "mean", channels),
      deviation: try Self.numbers(json, "deviation", channels))
    guard deviation.allSatisfy({ $0 > 0 }) else { throw json.invalid("deviation", "above 0") }
  }

  /// Depth and width, if given.
  package static func architecture(
    _ json: ConfigurationObject
  ) throws(ConfigurationError) -> (depth: Int, width: Int) {
    let depth = try json.optionalInt("depth", in: 8...1202) ?? 8
    guard (depth - 2).isMultiple(of: 6) else {
      throw json.invalid("depth", "2 more than a multiple of 6, such as 8, 14 or 20")
    }
    return (depth, try json.optionalInt("width", in: 2...1024) ?? 16)
  }

  private static func numbers(
    _ json: ConfigurationObject, _ key: String, _ count: Int
  ) throws(ConfigurationError) -> [Double] {
    guard case .array(let items) = json.value(key), items.count == count else {
      throw json.invalid(key, "a list of \(count) numbers, one per channel")
    }
    var result: [Double] = []
    for item in items {
      guard case .number(let number) = item, number.isFinite else {
        throw json.invalid(key, "a list of \(count) numbers, one per channel")
      }
      result.append(number)
    }
    return result
  }

  /// The text of `config.json`.
  public func json() throws -> String {
    let values: JSONObject = [
      "model_type": .string(Self.modelType), "image_size": .number(Double(imageSize)),
      "channels": .number(Double(channels)), "depth": .number(Double(depth)),
      "width": .number(Double(width)), "labels": .array(labels.map { .string($0) }),
      "mean": .array(mean.map { .number($0) }),
      "deviation": .array(deviation.map { .number($0) }),
    ]
    return try JSONText.pretty(values)
  }
}
