import MoETensor
public import SystemPackage

/// Image classifiers, which measure generated images.
public enum ImageClassifiers: ModelKind {
  /// A description of such a model.
  public static let title = "a classifier of images"
  /// The one type.
  public static let modelTypes = [ImageClassifierConfiguration.modelType]

  /// Opens the model with its weights.
  ///
  /// - Throws: As ``ImageClassifier/open(_:)``.
  public static func open(_ path: FilePath) throws -> ImageClassifier {
    try ImageClassifier.open(path)
  }

  /// Layers, images and answers of the model.
  ///
  /// - Throws: As ``ImageClassifier/open(_:)``.
  public static func summary(of path: FilePath) throws -> ModelSummary {
    let model = try ImageClassifier.open(path)
    let all = model.parameters + model.statistics
    let parameters = all.reduce(0) { $0 + $1.parameter.value.count }
    return try ModelSummary(
      family: ImageClassifierConfiguration.modelType, parameters: parameters,
      activeParameters: parameters, facts: facts(model.configuration), in: path,
      known: Set(all.map(\.name)))
  }

  private static func facts(_ c: ImageClassifierConfiguration) -> [ModelSummary.Fact] {
    [
      .init(name: "layers", value: "\(c.depth), convolutions with residuals"),
      .init(name: "images", value: "\(c.channels)×\(c.imageSize)×\(c.imageSize)"),
      .init(name: "features", value: "\(c.features)"),
      .init(name: "answers", value: ModelSummary.classes(c.labels)),
    ]
  }
}
