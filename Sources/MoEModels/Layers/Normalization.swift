public import MoETensor

/// A normalization of the last axis with learned factors.
public struct Normalization {
  /// Which statistics are removed.
  public enum Kind: String, Hashable, Codable, Sendable, CaseIterable {
    /// Divides by the root mean square.
    case rms
    /// Subtracts the mean and divides by the standard deviation.
    case layer
  }

  /// Which statistics are removed.
  public let kind: Kind
  /// Factors, shape `[width]`.
  public let weight: Parameter
  /// Bias of a layer normalization, shape `[width]`.
  public let bias: Parameter?
  /// Keeps constant rows finite.
  public let epsilon: Double

  /// Wraps weights.
  public init(_ kind: Kind, weight: Parameter, bias: Parameter? = nil, epsilon: Double) {
    (self.kind, self.weight, self.bias, self.epsilon) = (kind, weight, bias, epsilon)
  }

  /// Normalizes rows: `[…, width] → […, width]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch kind {
    case .rms: x.rmsNorm(weight: weight.value, epsilon: epsilon)
    case .layer: x.layerNorm(weight: weight.value, bias: bias?.value, epsilon: epsilon)
    }
  }
}
