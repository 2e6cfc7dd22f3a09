import MoECore
import MoETensor
public import SystemPackage

/// Models that predict classes or scores of texts: an encoder with a mixture of experts on top
/// (Hecto).
public enum TextClassifiers: ModelKind {
  /// A description of such a model.
  public static let title = "a model for classes or scores of texts"
  /// The one type.
  public static let modelTypes = [ClassifierConfiguration.modelType]

  /// Opens the model with its weights.
  ///
  /// - Throws: As ``TextClassifier/open(_:dtype:)``.
  public static func open(_ path: FilePath) throws -> TextClassifier {
    try TextClassifier.open(path)
  }

  /// Encoder, experts and answers of the model.
  ///
  /// - Throws: As ``TextClassifier/open(_:dtype:)``.
  public static func summary(of path: FilePath) throws -> ModelSummary {
    let model = try TextClassifier.open(path)
    let all = model.parameters
    let parameters = all.reduce(0) { $0 + $1.parameter.value.count }
    return try ModelSummary(
      family: ClassifierConfiguration.modelType, parameters: parameters,
      activeParameters: parameters - idle(model), facts: facts(model.configuration), in: path,
      known: Set(all.map(\.name)))
  }

  private static func facts(_ c: ClassifierConfiguration) -> [ModelSummary.Fact] {
    let kinds = c.mixture.experts.map(\.name).joined(separator: ", ")
    let encoder = c.encoder
    let answers =
      switch c.target {
      case .classes(let names): ModelSummary.classes(names)
      case .score(let range): "a score from \(range.lowerBound) to \(range.upperBound)"
      }
    return [
      .init(
        name: "encoder",
        value:
          "\(encoder.family.rawValue), \(NumberText.counted(encoder.layers, "layer")) of width \(encoder.hiddenSize)"
      ),
      .init(name: "experts", value: "\(kinds); one per text"),
      .init(name: "answers", value: answers),
      .init(name: "longest text", value: "\(c.maximumLength) tokens"),
    ]
  }

  /// Weights of the experts that are inactive for a text, if the largest one is active.
  private static func idle(_ model: TextClassifier) -> Int {
    let sizes = model.configuration.mixture.experts.indices.map { expert in
      model.parameters.filter { $0.name.contains("experts.\(expert).") }
        .reduce(0) { $0 + $1.parameter.value.count }
    }
    return sizes.reduce(0, +) - (sizes.max() ?? 0)
  }
}

extension ModelSummary {
  /// The number of classes and the first of their names.
  static func classes(_ names: [String]) -> String {
    let shown = names.prefix(8).map(\.printable).joined(separator: ", ")
    return "\(names.count) classes: \(shown)\(names.count > 8 ? ", …" : "")"
  }
}
