/// A number that JSON writes as `null` where it is infinite, because JSON has no such number.
@propertyWrapper
public struct FiniteOrNull: Hashable, Codable, Sendable {
  /// The number.
  public var wrappedValue: Double

  /// Wraps a number.
  public init(wrappedValue: Double) { self.wrappedValue = wrappedValue }

  /// Reads a number, or infinity for `null`.
  ///
  /// - Throws: `DecodingError` for anything else.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    wrappedValue = container.decodeNil() ? .infinity : try container.decode(Double.self)
  }

  /// Writes the number, or `null`.
  ///
  /// - Throws: `EncodingError`.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    wrappedValue.isFinite ? try container.encode(wrappedValue) : try container.encodeNil()
  }
}
