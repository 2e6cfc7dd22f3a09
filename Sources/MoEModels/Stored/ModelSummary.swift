import MoECore
public import SystemPackage

/// What is known about a model on disk, of any kind, without reading its weights.
///
/// As JSON it is one object: the keys of every kind, and those of ``details`` next to them.
public struct ModelSummary: Hashable, Sendable {
  /// Properties that only some kinds of models have.
  public enum Details: Hashable, Sendable {
    /// The sizes of a language model.
    case decoder(DecoderDetails)
    /// Facts about a model of another kind.
    case facts([Fact])
  }

  /// A property and its value, as text.
  public struct Fact: Hashable, Codable, Sendable {
    /// The property's name, at most 12 characters.
    public var name: String
    /// Its value.
    public var value: String

    /// Creates a fact.
    public init(name: String, value: String) { (self.name, self.value) = (name, value) }
  }

  /// Name of the family: the value of `model_type`.
  public var family: String
  /// Total number of weights, including state that training keeps.
  public var parameters: Int
  /// Weights that are active for one token, patch or text.
  public var activeParameters: Int
  /// The bytes of all tensors, by element type.
  public var bytesByType: [String: Int]
  /// Properties of this kind of model.
  public var details: Details
  /// What the kinds of modules of a language model take; `nil` for others.
  public var modules: [ModuleShare]?
  /// Problems of a model that can be opened nevertheless.
  public var warnings: [String]

  /// Describes a model of any kind but a language model.
  ///
  /// - Parameters:
  ///   - family: Name of the family.
  ///   - parameters: Total number of weights.
  ///   - activeParameters: Weights that are active for one patch or text.
  ///   - facts: Facts about the model.
  ///   - bytesByType: Bytes of all tensors by the names of their element types.
  ///   - warnings: Problems of the model.
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

  /// Describes the model at a path: a folder, a file, or the result of a training run.
  ///
  /// - Throws: As ``ModelLocation/init(_:)`` and ``ModelLocation/summary()``.
  public init(_ path: FilePath) throws { self = try ModelLocation(path).summary() }

  /// Bytes of all tensors.
  public var bytes: Int { bytesByType.values.reduce(0, +) }

  /// The sizes of a language model; `nil` for other kinds.
  public var decoder: DecoderDetails? {
    if case .decoder(let details) = details { details } else { nil }
  }

  /// Warns of tensors that are not part of the model.
  mutating func warn(ofUnused names: [String]) {
    guard !names.isEmpty else { return }
    let shown = names.prefix(3).map(\.printable).joined(separator: ", ")
    warnings.append(
      "\(NumberText.counted(names.count, "tensor")) \(names.count == 1 ? "is" : "are") not part of the model: \(shown)\(names.count > 3 ? ", …" : "")"
    )
  }
}

extension ModelSummary {
  /// Describes a model in a folder with safetensors.
  ///
  /// - Parameters:
  ///   - family: Name of the family.
  ///   - parameters: Total number of weights.
  ///   - activeParameters: Weights that are active for one patch or text.
  ///   - facts: Facts about the model.
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
    if let text = SafetensorsCheckpoint.indexWarning(in: folder) { warnings.append(text) }
  }
}
