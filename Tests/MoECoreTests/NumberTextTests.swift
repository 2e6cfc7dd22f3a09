import Foundation
import MoECore
import Testing

@Suite("Numbers as text")
struct NumberTextTests {
  private static let values: [Double] = {
    var generator = SeededGenerator(seed: 5)
    let random = (0..<500).map { _ in Double.random(in: -2...2, using: &generator) }
    // Halves of the last digit, where the two roundings differ.
    return random + (0..<200).map { Double($0) / 2000 } + [0, 1, 1e-9, 0.0625, 123.456, 1e6]
  }()

  @Test("decimals are those of printf, or of the number times a power of ten, as requested")
  func decimals() {
    for value in Self.values {
      #expect(NumberText.fixed(value, 3) == String(format: "%.3f", value))
      #expect(NumberText.decimals(value, 2) == "\((value * 100).rounded() / 100)")
      #expect(NumberText.decimals(value, 3, .up) == "\((value * 1000).rounded(.up) / 1000)")
    }
    #expect(NumberText.decimals(0.5, 3) == "0.5" && NumberText.decimals(3, 1) == "3.0")
    #expect(NumberText.plain(3, 1) == "3" && NumberText.plain(0.25, 1) == "0.3")
    #expect(NumberText.plain(-0.01, 1) == "0" && NumberText.plain(.infinity, 2) == "inf")
  }

  @Test("percents round as requested and have a dash for NaN")
  func percents() {
    for value in Self.values {
      #expect(NumberText.percent(value) == String(format: "%.1f %%", value * 100))
      let tenths = Int((value * 1000).rounded())
      #expect(
        NumberText.percent(value, rounding: .scaled)
          == "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10) %")
    }
    #expect(NumberText.percent(0.0625) == "6.2 %")
    #expect(NumberText.percent(0.0625, rounding: .scaled) == "6.3 %")
    #expect(NumberText.percent(0.1234, space: "\u{A0}") == "12.3\u{A0}%")
    #expect(NumberText.percent(.nan) == "–" && NumberText.percent(.nan, rounding: .scaled) == "–")
  }

  @Test("short numbers have about three digits")
  func digits() {
    let short = [(0.0123, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (12_345, "12,345")]
    for (value, text) in short { #expect(NumberText.short(value) == text) }
    #expect(NumberText.short(1e-7) == "1.00e-07" && NumberText.short(.nan) == "–")
    #expect(NumberText.brief(1.006) == "1.01" && NumberText.brief(34.54) == "34.5")
    #expect(NumberText.brief(1234.5) == "1235" && NumberText.brief(2) == "2")
    #expect(NumberText.significant(0.000_123_45) == "0.000123")
    #expect(NumberText.significant(0) == "0.0" && NumberText.significant(98_765) == "98800.0")
  }

  @Test("counts have commas or a unit")
  func counts() {
    #expect(NumberText.count(1_234_567) == "1,234,567" && NumberText.count(-12) == "-12")
    let amounts = [
      (17, "17"), (4_400, "4.4 k"), (135_000_000, "135 M"), (6_920_000_000, "6.92 B"), (0, "0"),
    ]
    for (count, text) in amounts { #expect(NumberText.amount(count) == text) }
  }
}
