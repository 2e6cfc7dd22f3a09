public import MoECore
import MoEModels
public import MoETensor

/// How the numbers of a weight become codes: one file per method.
public protocol QuantizationMethod: Sendable {
  /// One line for help.
  static var help: String { get }

  /// Type of the scales and biases of every weight; `nil` for `PackedWeight.scaleType(for:)`.
  var scales: DType? { get }

  /// Packs one weight.
  ///
  /// - Parameters:
  ///   - name: Its name, with `.weight`.
  ///   - weight: A matrix in its stored type.
  ///   - format: The format to pack it in.
  /// - Returns: The packed weight.
  /// - Throws: ``MoEModels/WeightRoundingError`` for numbers that cannot be packed.
  func pack(_ name: String, _ weight: Tensor, to format: PackedFormat) throws -> PackedWeight
}

/// Rounds every number to the nearest code, without data.
public struct RoundToNearest: QuantizationMethod {
  /// One line for help.
  public static let help = "round every number to the nearest code; no data needed"

  /// The rule.
  public var rounding: PackedRounding
  /// Type of scales and biases; `nil` for `PackedWeight.scaleType(for:)`.
  public var scales: DType?

  /// Chooses a rule.
  public init(_ rounding: PackedRounding = .nearest, scales: DType? = nil) {
    (self.rounding, self.scales) = (rounding, scales)
  }

  /// Rounds a weight; one of a symmetric format always to the nearest code, because MLX has no such rule.
  ///
  /// - Throws: ``MoEModels/WeightRoundingError`` if it is not finite.
  public func pack(
    _ name: String, _ weight: Tensor, to format: PackedFormat
  ) throws -> PackedWeight {
    try PackedWeight.rounded(
      weight, to: format, format.codes == .affine ? rounding : .nearest, named: name,
      scales: scales)
  }
}
