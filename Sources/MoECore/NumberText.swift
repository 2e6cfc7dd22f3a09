import Foundation

/// Numbers as people read them in sentences, tables and pages, the same everywhere.
public enum NumberText {
  /// How the last digit that is shown is chosen.
  public enum Rounding: Sendable {
    /// From the number exactly as it is stored; ties go to the even digit.
    case stored
    /// From the number times a power of ten, which is itself rounded; ties go away from zero.
    case scaled
  }

  // MARK: Decimals

  /// Always this many decimals, from the number as it is stored: 0.500.
  public static func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  /// At most this many decimals, without zeros at the end but with at least one decimal: 0.5, 3.0.
  ///
  /// - Parameters:
  ///   - value: The number.
  ///   - digits: The most decimals.
  ///   - rule: Where the number times a power of ten goes.
  /// - Returns: The text.
  public static func decimals(
    _ value: Double, _ digits: Int, _ rule: FloatingPointRoundingRule = .toNearestOrAwayFromZero
  ) -> String {
    "\(rounded(value, digits, rule))"
  }

  /// At most this many decimals, without zeros at the end and without a point in whole numbers: 0.5, 3.
  public static func plain(_ value: Double, _ digits: Int) -> String {
    let rounded = rounded(value, digits, .toNearestOrAwayFromZero)
    guard rounded.magnitude < 1e15, let whole = Int(exactly: rounded) else { return "\(rounded)" }
    return String(whole)
  }

  private static func rounded(
    _ value: Double, _ digits: Int, _ rule: FloatingPointRoundingRule
  ) -> Double {
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    return (value * scale).rounded(rule) / scale
  }

  // MARK: Digits

  /// About three digits: 0.0123, 1.23, 12.3, 12,345; very small and large ones with an exponent.
  public static func short(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    let size = value.magnitude
    if size >= 1e9 || (size > 0 && size < 1e-4) { return String(format: "%.2e", value) }
    if size >= 1000 { return count(Int(value.rounded())) }
    let digits = size >= 100 || value == value.rounded() ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
    return fixed(value, size > 0 && size < 0.01 ? 4 : digits)
  }

  /// At most three digits where there are decimals, without zeros at the end, for sentences: 1.2, 34.5, 1234.
  public static func brief(_ value: Double) -> String {
    plain(value, value.magnitude < 10 ? 2 : value.magnitude < 100 ? 1 : 0)
  }

  /// Three significant digits of a number above 0, however small it is: 0.0123, 1.4e-07; others as they are.
  public static func significant(_ value: Double) -> String {
    guard value > 0, value.isFinite else { return "\(value)" }
    var (scaled, exponent) = (value, 0)
    while scaled < 100 { (scaled, exponent) = (scaled * 10, exponent - 1) }
    while scaled >= 1_000 { (scaled, exponent) = (scaled / 10, exponent + 1) }
    return "\(Double("\(Int(scaled.rounded()))e\(exponent)") ?? value)"
  }

  // MARK: Percent

  /// A fraction in percent with one decimal, "–" if it is not a number.
  ///
  /// - Parameters:
  ///   - fraction: 1 for all.
  ///   - rounding: How the decimal is chosen.
  ///   - space: What stands before the sign; pages take one at which lines do not break.
  /// - Returns: The text.
  public static func percent(
    _ fraction: Double, rounding: Rounding = .stored, space: Character = " "
  ) -> String {
    guard fraction.isFinite else { return "–" }
    switch rounding {
    case .stored: return "\(fixed(fraction * 100, 1))\(space)%"
    case .scaled:
      let tenths = (fraction * 1000).rounded()
      return "\(fixed(tenths == 0 ? 0 : tenths / 10, 1))\(space)%"
    }
  }

  /// The same for a fraction of 32 bits, whose percents are computed in 32 bits.
  public static func percent(_ fraction: Float) -> String {
    fraction.isFinite ? "\(fixed(Double(fraction * 100), 1)) %" : "–"
  }

  // MARK: Counts

  /// A whole number with a comma before every three digits.
  public static func count(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    var result = value < 0 ? "-" : ""
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place).isMultiple(of: 3) { result.append(",") }
      result.append(digit)
    }
    return result
  }

  /// A count with three significant digits and a unit: `6.92 B`, `135 M`, `4.4 k`, `17`.
  public static func amount(_ count: Double) -> String {
    for (unit, size) in [("B", 1e9), ("M", 1e6), ("k", 1e3)] where count >= size {
      return "\(brief(count / size)) \(unit)"
    }
    return plain(count, 0)
  }

  /// The same for a whole number.
  public static func amount(_ count: Int) -> String { amount(Double(count)) }
}
