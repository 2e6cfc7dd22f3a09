import MoECore
public import SystemPackage

/// What is known of a model on disk, of whatever kind, without reading its weights.
///
/// As JSON it is one object: what every kind has, and the keys of ``details`` beside it.
public struct ModelSummary: Hashable, Sendable {
  /// What only some kinds of models have.
  public enum Details: Hashable, Sendable {
    /// The sizes of a language model.
    case decoder(DecoderDetails)
    /// What a model of another kind is and does.
    case facts([Fact])
  }

  /// A property and its value, in words.
  public struct Fact: Hashable, Codable, Sendable {
    /// The property's name, at most 12 characters.
    public var name: String
    /// Its value.
    public var value: String

    /// States a fact.
    public init(name: String, value: String) { (self.name, self.value) = (name, value) }
  }

  /// Name of the family: the value of `model_type`.
  public var family: String
  /// Weights in all, what training keeps beside them included.
  public var parameters: Int
  /// Weights that work on one token, patch or text.
  public var activeParameters: Int
  /// Names of the tensors' element types, and the bytes of all tensors of each.
  public var bytesByType: [String: Int]
  /// What only this kind of model has.
  public var details: Details
  /// What is odd about the model, although it opens.
  public var warnings: [String]

  /// Describes a model of any kind but a language model.
  ///
  /// - Parameters:
  ///   - family: Name of the family.
  ///   - parameters: Weights in all.
  ///   - activeParameters: Weights that work on one patch or text.
  ///   - facts: What the model is and does.
  ///   - bytesByType: Bytes of all tensors by the names of their element types.
  ///   - warnings: What is odd about it.
  public init(
    family: String, parameters: Int, activeParameters: Int, facts: [Fact],
    bytesByType: [String: Int], warnings: [String] = []
  ) {
    (self.family, self.parameters, self.activeParameters) = (family, parameters, activeParameters)
    (self.bytesByType, self.warnings) = (bytesByType, warnings)
    details = .facts(facts)
  }

  /// Describes a language model by its weights.
  init(family: String, details: DecoderDetails, weights: [StoredModel.WeightHeader], idle: Int) {
    (self.family, self.details) = (family, .decoder(details))
    parameters = weights.reduce(0) { $0 + $1.count }
    activeParameters = parameters - idle
    bytesByType = weights.reduce(into: [:]) { $0[$1.type, default: 0] += $1.bytes }
    warnings = []
  }

  /// Describes the model that a path means: a folder, a file, or the result of a training run.
  ///
  /// - Throws: As ``ModelLocation/init(_:)`` and ``ModelLocation/summary()``.
  public init(_ path: FilePath) throws { self = try ModelLocation(path).summary() }

  /// Bytes of all tensors.
  public var bytes: Int { bytesByType.values.reduce(0, +) }

  /// The sizes of a language model; `nil` for other kinds.
  public var decoder: DecoderDetails? {
    if case .decoder(let details) = details { details } else { nil }
  }

  /// Warns of tensors that belong to no part of the model.
  mutating func warn(ofUnused names: [String]) {
    guard !names.isEmpty else { return }
    let shown = names.prefix(3).map(\.printable).joined(separator: ", ")
    warnings.append(
      "\(names.count) tensors belong to no part of the model: \(shown)\(names.count > 3 ? ", …" : "")"
    )
  }
}

extension ModelSummary {
  /// Describes a model in a folder with safetensors.
  ///
  /// - Parameters:
  ///   - family: Name of the family.
  ///   - parameters: Weights in all.
  ///   - activeParameters: Weights that work on one patch or text.
  ///   - facts: What the model is and does.
  ///   - folder: The folder.
  ///   - known: Names of all tensors that belong to the model; others are a warning.
  /// - Throws: `SafetensorsError` or `FileError`.
  init(
    family: String, parameters: Int, activeParameters: Int, facts: [Fact], in folder: FilePath,
    known: Set<String>
  ) throws {
    let entries = try SafetensorsCheckpoint(folder).entries
    self.init(
      family: family, parameters: parameters, activeParameters: activeParameters, facts: facts,
      bytesByType: entries.reduce(into: [:]) {
        $0[$1.dtype.rawValue, default: 0] += $1.range.count
      })
    warn(ofUnused: entries.map(\.name).filter { !known.contains($0) })
  }
}
