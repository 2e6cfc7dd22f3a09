package import MoECore
import MoERouting
import SystemPackage

/// What the names and shapes of a checkpoint's tensors say about a diffusion transformer.
///
/// They do not say how many heads there are, how many experts work on a token, what is predicted, or which of several
/// rules with the same tensors assigns tokens to experts.
struct DiffusionContents {
  /// Where the tensors are stored, for messages.
  let path: FilePath
  /// Shapes by name.
  let shapes: [String: [Int]]

  /// The architecture; what the tensors do not say is taken from the paper's released models.
  ///
  /// - Parameters:
  ///   - heads: The number of heads, if known.
  ///   - classes: The number of classes, if known. If the table of labels has as many rows, there is no null label;
  ///     otherwise its last row is taken for that.
  ///   - router: The rule to use if several match the tensors; by default the first of them.
  /// - Returns: The architecture.
  /// - Throws: ``ModelError`` when a tensor is missing, `ConfigurationError` for shapes that no model has, or when the
  ///   number of heads cannot be known.
  func configuration(
    heads: Int? = nil, classes: Int? = nil,
    preferring router: DiffusionExpertsConfiguration.Router? = nil
  ) throws -> DiffusionConfiguration {
    let patch = try shape("x_embedder.proj.weight", rank: 4)
    let positions = try shape("pos_embed", rank: 3)
    let labels = try shape("y_embedder.embedding_table.weight", rank: 2)
    let outputs = try shape("final_layer.linear.weight", rank: 2)
    let (width, channels, size) = (patch[0], patch[1], patch[2])
    let rows = Int(Double(min(positions[1], 1 << 20)).squareRoot().rounded())
    guard 1...(1 << 16) ~= positions[1], rows * rows == positions[1], 1...1024 ~= size,
      1...1024 ~= channels, 1...(1 << 16) ~= width, 2...(1 << 20) ~= labels[0]
    else {
      throw ConfigurationError.invalidValue(
        path: path, key: "pos_embed", value: "of shape \(positions)",
        expected: "of shape [1, a square number, \(width)]")
    }
    let normSize = shapes["blocks.0.attn.q_norm.weight"]?.first
    var result = DiffusionConfiguration(
      imageSize: rows * size, channels: channels, patchSize: size, hiddenSize: width,
      depth: depth, heads: try heads ?? self.heads(width: width, normSize: normSize),
      classes: labels[0] - 1,
      learnsSigma: outputs[0] == 2 * channels * size * size, hasQueryKeyNorm: normSize != nil)
    if classes == labels[0] { (result.classes, result.labelDropout) = (labels[0], 0) }
    result.experts = try experts(result, preferring: router?.rule)
    if result.experts?.hasUnconditional == true, !result.hasNullLabel {
      throw ConfigurationError.invalidValue(
        path: path, key: "args.num_classes", value: "\(labels[0])",
        expected:
          "\(labels[0] - 1), one less than the rows of y_embedder.embedding_table.weight, because the experts for images without a label need a row for these; give a configuration with the right num_classes"
      )
    }
    guard case .object(let values) = result.object else { return result }
    // Shapes may be anything; only valid configurations are accepted.
    return try DiffusionConfiguration(ConfigurationObject(values, path: path))
  }

  private func shape(_ name: String, rank: Int) throws -> [Int] {
    guard let shape = shapes[name] else { throw ModelError.missingWeight(path: path, name: name) }
    guard shape.count == rank else {
      throw ConfigurationError.invalidValue(
        path: path, key: name, value: "of shape \(shape)", expected: "of \(rank) axes")
    }
    return shape
  }

  /// One more than the highest index of a block.
  private var depth: Int {
    let numbers = shapes.keys.compactMap { name in
      name.hasPrefix("blocks.")
        ? name.split(separator: ".").dropFirst().first.flatMap { Int($0) } : nil
    }
    return min(numbers.max() ?? -1, 1 << 20) + 1
  }

  private func heads(width: Int, normSize: Int?) throws(ConfigurationError) -> Int {
    if let normSize, normSize > 0, width.isMultiple(of: normSize) { return width / normSize }
    let known = DiffusionSize.allCases.map { DiffusionConfiguration.preset($0, router: nil) }
    if let preset = known.first(where: { $0.hiddenSize == width }) { return preset.heads }
    throw .invalidValue(
      path: path, key: "num_attention_heads", value: "unknown",
      expected: "given in a configuration, because tensors of width \(width) do not say it")
  }

  private func experts(
    _ configuration: DiffusionConfiguration, preferring preferred: (any DiffusionRule.Type)?
  ) throws -> DiffusionExpertsConfiguration? {
    let prefix = "blocks.1.mlp."
    func size(_ name: String) -> [Int]? { shapes[prefix + name] }
    guard let first = DiffusionRules.recognised(by: { size($0) != nil }),
      let count = size(first.signature[0])?.first, 1...1024 ~= count
    else { return nil }
    let rule = preferred.flatMap { $0.signature == first.signature ? $0 : nil } ?? first
    var experts = DiffusionExpertsConfiguration(
      .init(rule), count: count, hiddenSize: configuration.hiddenSize,
      classes: configuration.classes)
    let up = rule.projections.up
    experts.size = try shape(prefix + "experts.0.\(up).weight", rank: 2)[0]
    experts.sharedSize = size("shared_expert.\(up).weight")?.first
    experts.hasUnconditional = size("experts.\(count).\(up).weight") != nil
    return experts
  }

  /// Rejects tensors of a different model than a configuration describes.
  ///
  /// - Throws: ``ModelError/otherModel(path:found:expected:)``; nothing if the tensors are not
  ///   those of a diffusion transformer, because the names of missing tensors say more.
  func check(_ expected: DiffusionConfiguration) throws(ModelError) {
    // What tensors do not say is assumed to be right; one head fits every width.
    let router = expected.experts?.router
    guard var found = try? configuration(heads: 1, preferring: router) else { return }
    (found.heads, found.labelDropout) = (expected.heads, expected.labelDropout)
    found.objective = expected.objective
    if !expected.hasNullLabel { found.classes += 1 }
    if found.experts == nil, router?.rule.signature == [] { found.experts = expected.experts }
    if let wanted = expected.experts, found.experts?.router == router {
      found.experts?.perToken = wanted.perToken
      found.experts?.scoring = wanted.scoring
      found.experts?.superclasses = wanted.superclasses
    }
    guard found != expected else { return }
    throw .otherModel(path: path, found: found.title, expected: expected.title)
  }
}

extension DiffusionConfiguration {
  /// What tensors do not say about the model: keys of `config.json` with their values in this
  /// model.
  public var unseen: [(key: String, value: String)] {
    // Normalized queries have the width of a head.
    var result: [(key: String, value: String)] =
      hasQueryKeyNorm ? [] : [("num_attention_heads", "\(heads)")]
    result.append(("label_dropout", "\(labelDropout)"))
    result.append(("objective", objective.rawValue))
    guard let experts else { return result }
    let rule = experts.router.rule
    if DiffusionRules.registry.all.count(where: { $0.signature == rule.signature }) > 1 {
      result.append(("experts.router", rule.name))
    }
    let values: [(key: DiffusionRuleKey, value: String)] = [
      (.scoring, experts.scoring.rawValue), (.superclasses, "the classes in even parts"),
      (.perToken, "\(experts.perToken)"),
    ]
    for (key, value) in values where rule.keys.contains(key) {
      result.append(("experts.\(key.rawValue)", value))
    }
    return result
  }

  /// Rejects a checkpoint with the tensors of another model.
  ///
  /// - Throws: ``ModelError/otherModel(path:found:expected:)``.
  package func check(_ checkpoint: SafetensorsCheckpoint) throws(ModelError) {
    let shapes = checkpoint.entries.map { ($0.name, $0.shape) }
    try DiffusionContents(
      path: checkpoint.path, shapes: Dictionary(shapes) { first, _ in first }
    ).check(self)
  }

  /// The architecture as a line of text.
  public var title: String {
    var parts = [
      "\(depth) blocks of width \(hiddenSize)",
      "images of \(channels)×\(imageSize)×\(imageSize) in patches of \(patchSize)",
      "\(classes) classes\(hasNullLabel ? "" : " without a null label")",
    ]
    if let experts {
      var text = "\(experts.count) experts of \(experts.size)"
      if let shared = experts.sharedSize { text += ", a shared one of \(shared)" }
      if experts.hasUnconditional { text += ", one for images without a label" }
      parts.insert(text, at: 1)
    }
    if hasQueryKeyNorm { parts.append("normalized queries and keys") }
    if !learnsSigma { parts.append("no variances") }
    return "\(experts?.router.title ?? "a dense model") (\(parts.joined(separator: "; ")))"
  }
}
