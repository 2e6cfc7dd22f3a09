import MoECore
public import SystemPackage

/// A kind of model on disk: how it is recognised, described and opened.
///
/// A kind is one file and one line in ``ModelKinds/registry``; users of the library can add others.
public protocol ModelKind: SendableMetatype {
  /// The opened model, with its weights or ready to read them.
  associatedtype Model

  /// A description with an article, for messages: "a language model".
  static var title: String { get }
  /// Values of `model_type` that name this kind.
  static var modelTypes: [String] { get }

  /// Whether a model is of this kind; by default, whether its `model_type` is one of ``modelTypes``.
  ///
  /// Weights may be missing or wrong. Only ``ModelLocation/path`` and ``ModelLocation/modelType``
  /// decide.
  static func holds(_ location: ModelLocation) -> Bool

  /// Reads the configuration and the headers of the weights, and checks that all of them are there.
  ///
  /// - Throws: ``ModelError`` and errors from reading, when the model cannot be opened.
  static func summary(of path: FilePath) throws -> ModelSummary

  /// Opens a model.
  ///
  /// - Throws: ``ModelError`` and errors from reading.
  static func open(_ path: FilePath) throws -> Model
}

extension ModelKind {
  /// Whether the model's `model_type` names this kind.
  public static func holds(_ location: ModelLocation) -> Bool {
    location.modelType.map(modelTypes.contains) ?? false
  }
}

extension ModelLocation {
  /// The kind of the model; `nil` if it is unknown.
  public var kind: (any ModelKind.Type)? { ModelKinds.registry.all.last { $0.holds(self) } }

  /// What is known of the model without reading its weights.
  ///
  /// - Throws: ``ModelError`` for a model of an unknown kind; as ``ModelKind/summary(of:)``.
  public func summary() throws -> ModelSummary { try knownKind().summary(of: path) }

  /// Rejects a model of another kind.
  ///
  /// - Throws: ``ModelError/otherKind(path:found:expected:)``.
  public func check<Kind: ModelKind>(is kind: Kind.Type) throws(ModelError) {
    guard kind.holds(self) else {
      throw .otherKind(path: path, found: self.kind?.title, expected: kind.title)
    }
  }

  /// Opens the model if it is of the given kind.
  ///
  /// - Throws: ``ModelError/otherKind(path:found:expected:)``; as ``ModelKind/open(_:)``.
  public func open<Kind: ModelKind>(as kind: Kind.Type) throws -> Kind.Model {
    try check(is: kind)
    return try kind.open(path)
  }

  private func knownKind() throws -> any ModelKind.Type {
    if let kind { return kind }
    let json = try ConfigurationObject(path.appending(Self.configuration))
    guard let name = try json.optionalString("model_type") else {
      throw ConfigurationError.missingKey(path: json.path, key: "model_type")
    }
    throw ModelError.unsupportedFamily(
      path: json.path, name: name, supported: ModelKinds.registry.all.flatMap { $0.modelTypes })
  }
}
