import Foundation

/// The number format of pages and their tables.
public enum NumberText {
  /// About three digits: 0.0123, 1.23, 12.3, 12,345; very small and large numbers with an exponent.
  public static func short(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    let size = value.magnitude
    if size >= 1e9 || (size > 0 && size < 1e-4) { return String(format: "%.2e", value) }
    if size >= 1000 { return count(Int(value.rounded())) }
    let digits = size >= 100 || value == value.rounded() ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3
    return String(format: "%.\(size > 0 && size < 0.01 ? 4 : digits)f", value)
  }

  /// A fraction in percent with one decimal, "–" if it is not finite.
  public static func percent(_ share: Double) -> String {
    share.isFinite ? String(format: "%.1f\u{A0}%%", share * 100) : "–"
  }

  /// An integer with a comma before every three digits.
  public static func count(_ value: Int) -> String {
    let digits = Array(String(value.magnitude))
    var result = value < 0 ? "-" : ""
    for (place, digit) in digits.enumerated() {
      if place > 0, (digits.count - place).isMultiple(of: 3) { result.append(",") }
      result.append(digit)
    }
    return result
  }
}
