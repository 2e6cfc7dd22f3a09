/// An amount of memory or file space in bytes.
public struct ByteCount: Hashable, Codable, Sendable, Comparable {
  /// Number of bytes.
  public var bytes: Int

  /// Wraps a number of bytes.
  public init(_ bytes: Int) { self.bytes = bytes }

  /// Parses a human-readable amount: `4096`, `500MB`, `4 GiB`.
  ///
  /// Decimal units (kB, MB, GB, TB) are powers of 1,000, binary ones (KiB, MiB, GiB, TiB) of 1,024;
  /// case is ignored. Returns `nil` for anything else, for negative amounts and on overflow.
  public init?(parsing text: String) {
    let trimmed = text.filter { $0 != " " }
    let digits = trimmed.prefix { $0.isNumber || $0 == "." }
    guard let factor = Self.factors[trimmed.dropFirst(digits.count).lowercased()],
      let number = Double(digits), number >= 0
    else { return nil }
    let bytes = number * Double(factor)
    guard bytes < Double(Int.max) else { return nil }
    self.bytes = Int(bytes)
  }

  private static let factors: [String: Int] = [
    "": 1, "b": 1,
    "kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000, "tb": 1_000_000_000_000,
    "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
  ]

  /// Orders by size.
  public static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }

  /// Adds two amounts.
  public static func + (left: ByteCount, right: ByteCount) -> ByteCount {
    ByteCount(left.bytes + right.bytes)
  }
}

extension ByteCount: CustomStringConvertible {
  /// The amount, to three significant digits, in the largest fitting decimal unit: `1.05 GB`.
  public var description: String {
    var value = Double(bytes)
    var unit = "B"
    for next in ["kB", "MB", "GB", "TB"] where abs(value) >= 999.5 {
      value /= 1_000
      unit = next
    }
    if unit == "B" { return "\(bytes) B" }
    let places = abs(value) < 9.995 ? 100.0 : abs(value) < 99.95 ? 10.0 : 1.0
    let rounded = (value * places).rounded() / places
    return places == 1 ? "\(Int(rounded)) \(unit)" : "\(rounded) \(unit)"
  }
}
