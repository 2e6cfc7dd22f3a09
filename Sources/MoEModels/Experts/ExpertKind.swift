/// A kind of expert that a configuration can name: what it reads, and which weights it has.
///
/// A kind becomes known by an entry in ``ExpertKinds/registry``, which other packages can add.
public struct ExpertKind: Sendable {
  /// The name in `config.json`.
  public let name: String
  /// What experts of this kind read.
  public let view: InputView
  private let build: @Sendable (ExpertBuilder) throws -> any Expert

  /// Creates a kind.
  ///
  /// - Parameters:
  ///   - name: The name in `config.json`.
  ///   - view: What experts of this kind read.
  ///   - build: Requests the weights of one expert, always in the same order, and assembles it.
  public init(
    _ name: String, reading view: InputView,
    build: @escaping @Sendable (ExpertBuilder) throws -> any Expert
  ) {
    (self.name, self.view, self.build) = (name, view, build)
  }

  /// One expert.
  ///
  /// - Throws: What the source of its weights throws.
  func expert(_ builder: ExpertBuilder) throws -> any Expert { try build(builder) }
}

extension ExpertKind: Hashable {
  /// Whether the names are the same.
  public static func == (left: ExpertKind, right: ExpertKind) -> Bool { left.name == right.name }

  /// Hashes the name.
  public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
