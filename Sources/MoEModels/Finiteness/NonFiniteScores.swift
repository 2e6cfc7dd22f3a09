public import MoECore

/// A model computed numbers that are infinite or NaN, so nothing that it says means anything.
///
/// Scores are checked wherever they are used; where they come from is only searched for when they are not finite.
public struct NonFiniteScores: Error, Hashable {
  /// What positions count.
  public enum Unit: String, Hashable, Sendable {
    /// Tokens of a text.
    case token
    /// Images of a batch.
    case image
  }

  /// The first part of the model whose results are not finite, such as `layer 3`; `nil` if the search found none.
  public var place: String?
  /// The first token or image, counted from 0, for which that part's results are not finite.
  public var position: Int?
  /// What ``position`` counts.
  public var unit: Unit
  /// The first weight of that part that is not finite itself, if any.
  public var weight: String?
  /// The type in which the model computed.
  public var dtype: DType

  /// Describes where numbers stop being finite.
  public init(
    place: String?, position: Int?, unit: Unit = .token, weight: String? = nil, dtype: DType
  ) {
    (self.place, self.position, self.unit) = (place, position, unit)
    (self.weight, self.dtype) = (weight, dtype)
  }
}

extension NonFiniteScores: CustomStringConvertible {
  /// What happened, where, and what to change.
  public var description: String {
    var text = "the model's scores are not finite"
    if let place {
      text += ": \(place) is the first part that gives NaN or infinity"
      if let position { text += ", for \(unit.rawValue) \(position), counted from 0" }
    }
    if let weight {
      return text
        + "; the weight '\(weight.printable)' is not finite itself, so the checkpoint is damaged"
    }
    let isNarrow = dtype == .f16 || dtype == .bf16
    let advice =
      isNarrow
      ? "the numbers may be too large for \(dtype), so compute in f32"
      : "the weights may be damaged or of another architecture"
    return "\(text); \(advice)"
  }
}
