/// Formats counts for people.
public enum ShortCount {
  /// Three significant digits and a unit: `6.92 B`, `135 M`, `4.4 k`, `17`.
  public static func text(_ count: Double) -> String {
    for (unit, size) in [("B", 1e9), ("M", 1e6), ("k", 1e3)] where count >= size {
      let value = count / size
      let scale = value < 10 ? 100.0 : value < 100 ? 10 : 1
      let rounded = (value * scale).rounded() / scale
      return "\(Int(exactly: rounded).map(String.init) ?? "\(rounded)") \(unit)"
    }
    let rounded = count.rounded()
    return Int(exactly: rounded).map(String.init) ?? "\(count)"
  }

  /// The same for an integer.
  public static func text(_ count: Int) -> String { text(Double(count)) }
}
