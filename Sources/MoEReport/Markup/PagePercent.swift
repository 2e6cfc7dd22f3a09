public import MoECore

extension NumberText {
  /// A fraction in percent as pages show it: lines do not break before the sign.
  public static func pagePercent(_ fraction: Double) -> String {
    percent(fraction, space: "\u{A0}")
  }
}
