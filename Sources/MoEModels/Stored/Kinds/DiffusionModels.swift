import MoETensor
public import SystemPackage

/// Diffusion transformers: models that make images.
public enum DiffusionModels: ModelKind {
  /// A description of such a model.
  public static let title = "a diffusion model"
  /// The one type.
  public static let modelTypes = [DiffusionConfiguration.modelType]

  /// Reads the small files; weights are opened on demand.
  ///
  /// - Throws: As ``StoredDiffusionModel/init(_:)``.
  public static func open(_ path: FilePath) throws -> StoredDiffusionModel {
    try StoredDiffusionModel(path)
  }

  /// Blocks, routing and images of the model.
  ///
  /// - Throws: As ``DiffusionTransformer/open(_:as:dtype:)``.
  public static func summary(of path: FilePath) throws -> ModelSummary {
    let model = try DiffusionTransformer.open(path)
    let count = try model.configuration.parameterCount()
    return try ModelSummary(
      family: DiffusionConfiguration.modelType, parameters: count.0, activeParameters: count.1,
      facts: facts(model.configuration), in: path,
      known: Set((model.parameters + model.buffers).map(\.name)))
  }

  private static func facts(_ c: DiffusionConfiguration) -> [ModelSummary.Fact] {
    var blocks = "\(c.depth) of width \(c.hiddenSize)"
    blocks += c.experts == nil ? ", all dense" : ", \(c.sparseBlocks.count) of them sparse"
    let size = "\(c.channels)×\(c.imageSize)×\(c.imageSize)"
    return [.init(name: "blocks", value: blocks)] + (c.experts.map(facts) ?? []) + [
      .init(name: "images", value: "\(size) in patches of \(c.patchSize)"),
      .init(name: "classes", value: "\(c.classes)\(c.hasNullLabel ? ", and none" : "")"),
      .init(
        name: "predicts",
        value: c.objective == .rectifiedFlow ? "velocity (rectified flow)" : "noise (DDPM)"),
    ]
  }

  private static func facts(_ experts: DiffusionExpertsConfiguration) -> [ModelSummary.Fact] {
    var text = "\(experts.count) per sparse block, \(experts.perToken) per patch"
    if experts.sharedSize != nil { text += ", a shared one" }
    if experts.hasUnconditional { text += ", one for images without a label" }
    return [
      .init(name: "routing", value: experts.router.title), .init(name: "experts", value: text),
    ]
  }
}
