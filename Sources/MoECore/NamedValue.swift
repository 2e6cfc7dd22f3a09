/// A number and its name.
public struct NamedValue: Hashable, Codable, Sendable {
  /// The name, in lower case with underscores, as in tables.
  public var name: String
  /// The number.
  public var value: Double

  /// Names a number.
  public init(_ name: String, _ value: Double) { (self.name, self.value) = (name, value) }
}
