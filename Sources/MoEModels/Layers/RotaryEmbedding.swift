import Foundation
import MoECore
public import MoETensor

/// Rotary position embedding: rotates pairs of a head's elements by angles proportional to the
/// position.
///
///     angle(position, i) = position · frequency_i,   frequency_i = base^(−2i / width)   for i < width / 2
///     (x_i, x_{i + width/2}) is rotated by angle(position, i)
///
/// - SeeAlso: Su et al. 2021, *RoFormer*, §3.2.2, [arXiv:2104.09864](https://arxiv.org/abs/2104.09864); pairs
///   are half a head apart, as in GPT-NeoX and transformers.
public struct RotaryEmbedding {
  /// How frequencies are scaled for texts longer than those in training.
  public enum Scaling: Hashable, Codable, Sendable {
    /// Not at all.
    case none
    /// All divided by the factor.
    case linear(factor: Double)
    /// Low frequencies divided by the factor, high ones kept, with a ramp between (Llama 3).
    case llama3(factor: Double, lowFactor: Double, highFactor: Double, originalLength: Int)
    /// The same with a ramp in the number of rotations, and with sharpened attention.
    ///
    /// - SeeAlso: Peng et al. 2023, *YaRN*, §3, [arXiv:2309.00071](https://arxiv.org/abs/2309.00071).
    case yarn(
      factor: Double, betaFast: Double, betaSlow: Double, originalLength: Int,
      attentionFactor: Double, truncates: Bool)
  }

  /// frequency_i, f32, shape `[width / 2]`.
  private let frequencies: Tensor
  /// Factor of sine and cosine.
  private let amplitude: Double
  /// The angles of the first positions, computed once.
  private let table = Table()

  /// Computes the frequencies.
  ///
  /// - Parameters:
  ///   - width: Width of a head; even.
  ///   - base: The base of the geometric sequence, above 0.
  ///   - scaling: How frequencies are scaled.
  public init(width: Int, base: Double, scaling: Scaling) {
    let plain = (0..<width / 2).map { pow(base, -2 * Double($0) / Double(width)) }
    frequencies = Tensor(Self.scaled(plain, width: width, base: base, scaling).map(Float.init))
    amplitude = if case .yarn(_, _, _, _, let factor, _) = scaling { factor } else { 1 }
  }

  /// Sine and cosine for a run of positions.
  public struct Angles {
    /// f32, shape `[positions, width / 2]`.
    var cosine: Tensor
    /// f32, shape `[positions, width / 2]`.
    var sine: Tensor

    /// Rotates queries or keys, shape `[batch, positions, heads, width]`.
    public func rotate(_ x: Tensor) -> Tensor { x.rotatingHalves(cosine: cosine, sine: sine) }
  }

  private final class Table {
    var angles: Angles?
  }

  /// The angles of positions `range`.
  ///
  /// - Complexity: O(1) for positions that were requested before, or are not far beyond them.
  public func angles(_ range: Range<Int>, on device: Device) -> Angles {
    let known = table.angles?.cosine.size(0) ?? 0
    if range.upperBound > known || table.angles?.cosine.device != device {
      table.angles = computed(max(range.upperBound, 2 * known), on: device)
    }
    let all = table.angles ?? computed(range.upperBound, on: device)
    return Angles(
      cosine: all.cosine.slice(axis: 0, range), sine: all.sine.slice(axis: 0, range))
  }

  /// The angles of several runs of positions, one after another.
  func angles(_ runs: [Range<Int>], on device: Device) -> Angles {
    let parts = runs.map { angles($0, on: device) }
    guard parts.count > 1 else { return parts[0] }
    return Angles(
      cosine: Tensor.concatenated(parts.map(\.cosine), axis: 0),
      sine: Tensor.concatenated(parts.map(\.sine), axis: 0))
  }

  /// Positions whose angles are computed together.
  ///
  /// The engine computes the last elements of a tensor, which fill no vector, in another way. In blocks of one size
  /// a position has the same angles however long the table is.
  private static let block = 256

  /// The angles of at least the first `count` positions.
  private func computed(_ count: Int, on device: Device) -> Angles {
    withoutGradients {
      let angles = stride(from: 0, to: max(1, count), by: Self.block).map { start in
        let positions = Tensor.range(start..<start + Self.block).cast(to: .f32).expandingAxis(1)
        return (positions * frequencies).moved(to: device)  // [block, width / 2]
      }
      return Angles(
        cosine: Tensor.concatenated(angles.map { $0.cos() * amplitude }, axis: 0),
        sine: Tensor.concatenated(angles.map { $0.sin() * amplitude }, axis: 0))
    }
  }

  private static func scaled(
    _ plain: [Double], width: Int, base: Double, _ scaling: Scaling
  ) -> [Double] {
    switch scaling {
    case .none: return plain
    case .linear(let factor): return plain.map { $0 / factor }
    case .llama3(let factor, let low, let high, let length):
      return plain.map { frequency in
        let wavelength = 2 * Double.pi / frequency
        if wavelength > Double(length) / low { return frequency / factor }
        if wavelength < Double(length) / high { return frequency }
        let share = (Double(length) / wavelength - low) / (high - low)
        return (1 - share) * frequency / factor + share * frequency
      }
    case .yarn(let factor, let fast, let slow, let length, _, let truncates):
      // The pair that rotates `rotations` times over the original length.
      func pair(_ rotations: Double) -> Double {
        Double(width) * log(Double(length) / (rotations * 2 * .pi)) / (2 * log(base))
      }
      let (first, last) = (pair(fast), pair(slow))
      let low = max(truncates ? first.rounded(.down) : first, 0)
      let high = min(truncates ? last.rounded(.up) : last, Double(width - 1))
      return plain.enumerated().map { index, frequency in
        let ramp = min(max((Double(index) - low) / (high == low ? 0.001 : high - low), 0), 1)
        return frequency / factor * ramp + frequency * (1 - ramp)
      }
    }
  }
}
