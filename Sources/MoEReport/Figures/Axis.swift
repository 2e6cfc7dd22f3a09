import MoECore
import Foundation

/// An axis of a drawing.
struct Axis {
  /// The values at both ends.
  let low: Double
  let high: Double
  /// Their coordinates.
  let start: Double
  let end: Double
  let isLogarithmic: Bool
  let ticks: [Double]

  /// Covers values, with round numbers at the ends.
  init(
    _ values: some Sequence<Double>, from start: Double, to end: Double, fromZero: Bool = false,
    isLogarithmic: Bool = false, roundsEnds: Bool = true
  ) {
    let finite = values.filter { $0.isFinite && (!isLogarithmic || $0 > 0) }
    var (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
    (self.start, self.end) = (start, end)
    if isLogarithmic, low > 0 {
      if low == high { (low, high) = (low / 2, high * 2) }
      (self.low, self.high, self.isLogarithmic) = (low, high, true)
      ticks = Self.powers(low, high)
      return
    }
    if fromZero { (low, high) = (min(0, low), max(0, high)) }
    if low == high { (low, high) = low == 0 ? (0, 1) : (min(0, low), max(0, high)) }
    let step = Self.step(high - low)
    let first = (low / step).rounded(.down)
    let last = (high / step).rounded(.up)
    let all = (Int(first)...Int(last)).map { Double($0) * step }
    if roundsEnds { (low, high) = (first * step, last * step) }
    (self.low, self.high, self.isLogarithmic) = (low, high, false)
    ticks = all.filter { $0 >= low - step * 1e-9 && $0 <= high + step * 1e-9 }
  }

  /// The coordinate of a value.
  func place(_ value: Double) -> Double {
    guard value.isFinite else { return start }
    let part =
      isLogarithmic
      ? (log(max(value, low)) - log(low)) / (log(high) - log(low)) : (value - low) / (high - low)
    return start + (end - start) * part
  }

  /// A round step that gives about five intervals.
  private static func step(_ span: Double) -> Double {
    let raw = span / 5
    let unit = pow(10, log10(raw).rounded(.down))
    let step = [1, 2, 2.5, 5, 10].first { $0 * unit >= raw * 0.999 } ?? 10
    return step * unit
  }

  private static func powers(_ low: Double, _ high: Double) -> [Double] {
    let exponents = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
    let parts: [Double] = exponents.count > 4 ? [1] : exponents.count > 2 ? [1, 3] : [1, 2, 5]
    return exponents.flatMap { power in parts.map { $0 * pow(10, Double(power)) } }
      .filter { $0 >= low * 0.999 && $0 <= high * 1.001 }
  }
}

/// The frame of a chart: its axes and their titles.
struct ChartFrame {
  let x: Axis
  let y: Axis

  /// Grid lines, tick labels and titles.
  func markup(
    xTitle: String, yTitle: String, format: (Double) -> String, xLabels: [(Double, String)]? = nil
  ) -> [Markup] {
    var result: [Markup] = []
    for tick in y.ticks {
      let place = y.place(tick)
      result.append(Draw.line((x.start, place), (x.end, place), "grid"))
      result.append(Draw.text(Self.trimmed(format(tick)), x: x.start - 6, y: place + 4, "soft end"))
    }
    for (place, label) in xLabels
      ?? x.ticks.map({ (x.place($0), Self.trimmed(NumberText.short($0))) })
    {
      result.append(Draw.line((place, y.start), (place, y.start + 4), "axis"))
      result.append(Draw.text(label, x: place, y: y.start + 17, "soft middle"))
    }
    result.append(Draw.line((x.start, y.start), (x.end, y.start), "axis"))
    let middle = (x.start + x.end) / 2
    result.append(Draw.text(xTitle, x: middle, y: y.start + 34, "soft middle"))
    result.append(Draw.text(yTitle, x: 2, y: y.end - 14, "soft"))
    return result
  }

  /// A number without trailing zeros, because ticks are round numbers.
  static func trimmed(_ text: String) -> String {
    guard let point = text.firstIndex(of: "."), !text.contains("e") else { return text }
    let end = text[point...].dropFirst().firstIndex { !$0.isNumber } ?? text.endIndex
    var digits = text[..<end]
    while digits.last == "0" { digits.removeLast() }
    if digits.last == "." { digits.removeLast() }
    return String(digits + text[end...])
  }

  /// All labels, or as many as fit without touching.
  static func thinned(_ labels: [(Double, String)], room: Double) -> [(Double, String)] {
    let widest = labels.map { Coordinate.width($0.1) }.max() ?? 0
    let most = max(1, Int(room / (widest + 8)))
    let step = max(1, (labels.count + most - 1) / most)
    return stride(from: 0, to: labels.count, by: step).map { labels[$0] }
  }
}
