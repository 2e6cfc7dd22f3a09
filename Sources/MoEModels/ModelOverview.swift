import MoECore
import MoETensor
public import SystemPackage

/// What the folder of a model holds that makes images or answers with classes or scores; ``ModelSummary`` is the same
/// for language models.
public struct ModelOverview: Hashable, Codable, Sendable {
  /// Something worth knowing.
  public struct Fact: Hashable, Codable, Sendable {
    /// What it is about.
    public var name: String
    /// What is so.
    public var value: String
  }

  /// The value of `model_type`.
  public var family: String
  /// Weights in all, what training keeps beside them included.
  public var parameters: Int
  /// Weights that work on one patch or text.
  public var activeParameters: Int
  /// What the model is and does.
  public var facts: [Fact]
  /// Element types of the tensors and the bytes that each takes.
  public var bytesByType: [String: Int]
  /// What is odd about the folder, although the model opens.
  public var warnings: [String]

  /// Reads the configuration and opens the weights, of which only headers are read.
  ///
  /// - Returns: `nil` for a folder or file with a model of another kind.
  /// - Throws: ``ModelError``, `SafetensorsError` or `FileError` when the model cannot be opened.
  public init?(_ path: FilePath) throws {
    let config = path.appending("config.json")
    guard !config.isMissing else { return nil }
    let json = try ConfigurationObject(config)
    let known: Set<String>
    switch try json.optionalString("model_type") {
    case DiffusionConfiguration.modelType:
      let model = try DiffusionTransformer.open(path)
      (family, facts) = (DiffusionConfiguration.modelType, Self.facts(model.configuration))
      (parameters, activeParameters) = model.configuration.parameterCount()
      known = Set((model.parameters + model.buffers).map(\.name))
    case ClassifierConfiguration.modelType:
      let model = try TextClassifier.open(path)
      (family, facts) = (ClassifierConfiguration.modelType, Self.facts(model.configuration))
      let all = model.parameters
      parameters = all.reduce(0) { $0 + $1.parameter.value.count }
      activeParameters = parameters - Self.idle(model)
      known = Set(all.map(\.name))
    case ImageClassifierConfiguration.modelType:
      let model = try ImageClassifier.open(path)
      (family, facts) = (
        ImageClassifierConfiguration.modelType, Self.facts(model.configuration)
      )
      let all = model.parameters + model.statistics
      parameters = all.reduce(0) { $0 + $1.parameter.value.count }
      activeParameters = parameters
      known = Set(all.map(\.name))
    default: return nil
    }
    let entries = try SafetensorsCheckpoint(path).entries
    bytesByType = entries.reduce(into: [:]) {
      $0[$1.dtype.rawValue, default: 0] += $1.range.count
    }
    let unused = entries.map(\.name).filter { !known.contains($0) }
    warnings =
      unused.isEmpty
      ? []
      : [
        "\(unused.count) tensors belong to no part of the model: \(unused.prefix(3).map(\.printable).joined(separator: ", "))\(unused.count > 3 ? ", …" : "")"
      ]
  }

  private static func facts(_ c: DiffusionConfiguration) -> [Fact] {
    var blocks = "\(c.depth) of width \(c.hiddenSize)"
    blocks += c.experts == nil ? ", all dense" : ", \(c.sparseBlocks.count) of them sparse"
    var result = [Fact(name: "blocks", value: blocks)]
    if let experts = c.experts {
      result.append(Fact(name: "routing", value: experts.router.title))
      var text = "\(experts.count) per sparse block, \(experts.perToken) per patch"
      if experts.sharedSize != nil { text += ", a shared one" }
      if experts.hasUnconditional { text += ", one for images without a label" }
      result.append(Fact(name: "experts", value: text))
    }
    let size = "\(c.channels)×\(c.imageSize)×\(c.imageSize)"
    return result + [
      Fact(name: "images", value: "\(size) in patches of \(c.patchSize)"),
      Fact(name: "classes", value: "\(c.classes)\(c.hasNullLabel ? ", and none" : "")"),
      Fact(
        name: "predicts",
        value: c.objective == .rectifiedFlow ? "velocity (rectified flow)" : "noise (DDPM)"),
    ]
  }

  private static func facts(_ c: ClassifierConfiguration) -> [Fact] {
    let kinds = c.mixture.experts.map(\.name).joined(separator: ", ")
    let answers =
      switch c.target {
      case .classes(let names):
        "\(names.count) classes: \(names.prefix(8).map(\.printable).joined(separator: ", "))\(names.count > 8 ? ", …" : "")"
      case .score(let range): "a score from \(range.lowerBound) to \(range.upperBound)"
      }
    return [
      Fact(
        name: "encoder",
        value:
          "\(c.encoder.family.rawValue), \(c.encoder.layers) layers of width \(c.encoder.hiddenSize)"
      ),
      Fact(name: "experts", value: "\(kinds); one per text"),
      Fact(name: "answers", value: answers),
      Fact(name: "longest text", value: "\(c.maximumLength) tokens"),
    ]
  }

  private static func facts(_ c: ImageClassifierConfiguration) -> [Fact] {
    let names = c.labels.prefix(8).map(\.printable).joined(separator: ", ")
    return [
      Fact(name: "layers", value: "\(c.depth), convolutions with residuals"),
      Fact(name: "images", value: "\(c.channels)×\(c.imageSize)×\(c.imageSize)"),
      Fact(name: "features", value: "\(c.features)"),
      Fact(
        name: "answers",
        value: "\(c.labels.count) classes: \(names)\(c.labels.count > 8 ? ", …" : "")"),
    ]
  }

  /// Weights of the experts that do not work on a text, where the largest does.
  private static func idle(_ model: TextClassifier) -> Int {
    let sizes = model.configuration.mixture.experts.indices.map { expert in
      model.parameters.filter { $0.name.contains("experts.\(expert).") }
        .reduce(0) { $0 + $1.parameter.value.count }
    }
    return sizes.reduce(0, +) - (sizes.max() ?? 0)
  }

  /// The overview for people, line by line.
  public var text: String {
    let types = bytesByType.sorted { $0.key < $1.key }
      .map { "\($0.key) \(ByteCount($0.value))" }.joined(separator: ", ")
    let active =
      activeParameters == parameters
      ? "" : ", \(NumberText.amount(activeParameters)) active at a time"
    let rows =
      [
        Fact(name: "family", value: family),
        Fact(name: "parameters", value: NumberText.amount(parameters) + active),
      ] + facts + [Fact(name: "weights", value: types)]
    let lines = rows.map { row in
      row.name + String(repeating: " ", count: max(1, 14 - row.name.count)) + row.value
    }
    return (lines + warnings.map { "warning       \($0)" }).joined(separator: "\n")
  }
}
