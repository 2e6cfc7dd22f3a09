import Foundation

/// Colours for values, readable with every kind of colour blindness and in greyscale print.
///
/// The scale is linear in lightness and runs from blue to yellow, which are distinguishable with
/// red-green blindness. Colours are interpolated in OKLab, a perceptually uniform space.
///
/// - SeeAlso: Ottosson 2020, *A perceptual color space for image processing*,
///   [bottosson.github.io/posts/oklab](https://bottosson.github.io/posts/oklab/), and, for the
///   idea, Nuñez, Anderton and Renslow 2018,
///   [doi:10.1371/journal.pone.0199239](https://doi.org/10.1371/journal.pone.0199239).
public struct ColorScale: Hashable, Sendable {
  /// From dark blue (low) to light yellow (high).
  public static let sequential = ColorScale(anchors: [
    Color(lightness: 0.27, a: -0.005, b: -0.11), Color(lightness: 0.6, a: -0.002, b: -0.005),
    Color(lightness: 0.93, a: -0.025, b: 0.16),
  ])
  /// From blue (less) through almost white (zero) to brown (more).
  public static let diverging = ColorScale(anchors: [
    Color(lightness: 0.42, a: -0.02, b: -0.15), Color(lightness: 0.95, a: 0, b: 0),
    Color(lightness: 0.42, a: 0.09, b: 0.08),
  ])

  /// A colour in OKLab.
  struct Color: Hashable {
    var lightness: Double
    var a: Double
    var b: Double
  }

  private let anchors: [Color]

  private init(anchors: [Color]) { self.anchors = anchors }

  /// The colour at a position, 0…1, such as `#00224e`; positions outside get the nearest end's
  /// colour.
  public func color(at place: Double) -> String {
    let (red, green, blue) = components(at: place)
    return String(format: "#%02x%02x%02x", red, green, blue)
  }

  func components(at place: Double) -> (red: Int, green: Int, blue: Int) {
    let along = (place.isFinite ? min(1, max(0, place)) : 0) * Double(anchors.count - 1)
    let first = min(anchors.count - 2, Int(along))
    let part = along - Double(first)
    let (from, to) = (anchors[first], anchors[first + 1])
    func mix(_ left: Double, _ right: Double) -> Double { left + (right - left) * part }
    return Self.display(
      Color(
        lightness: mix(from.lightness, to.lightness), a: mix(from.a, to.a), b: mix(from.b, to.b)))
  }

  /// Converts OKLab to sRGB, 0…255.
  private static func display(_ color: Color) -> (red: Int, green: Int, blue: Int) {
    func cube(_ a: Double, _ b: Double) -> Double {
      let root = color.lightness + a * color.a + b * color.b
      return root * root * root
    }
    let l = cube(0.396_337_777_4, 0.215_803_757_3)
    let m = cube(-0.105_561_345_8, -0.063_854_172_8)
    let s = cube(-0.089_484_177_5, -1.291_485_548)
    func byte(_ linear: Double) -> Int {
      let bounded = min(1, max(0, linear))
      let value = bounded <= 0.003_130_8 ? 12.92 * bounded : 1.055 * pow(bounded, 1 / 2.4) - 0.055
      return Int((value * 255).rounded())
    }
    return (
      byte(4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s),
      byte(-1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s),
      byte(-0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s)
    )
  }
}
