public import MoETensor

/// What an expert can read of a sample.
public enum InputView: String, Hashable, Codable, Sendable, CaseIterable {
  /// One vector.
  case pooled
  /// A vector per position.
  case sequence
}

/// A batch of samples in both views.
public struct InputViews {
  /// One vector per sample, `[samples, width]`.
  public var pooled: Tensor
  /// A vector per position of every sample.
  public var sequence: PackedRows

  /// Combines views of the same samples.
  ///
  /// - Precondition: Both have the same number of samples.
  public init(pooled: Tensor, sequence: PackedRows) {
    precondition(
      pooled.size(0) == sequence.lengths.count,
      "\(pooled.size(0)) vectors for \(sequence.lengths.count) sequences")
    (self.pooled, self.sequence) = (pooled, sequence)
  }
}

extension InputViews {
  /// The views after dropout: a fraction of their values is set to zero and the others are scaled
  /// up, so that means are kept.
  ///
  /// - Parameters:
  ///   - share: The fraction, from 0 to below 1.
  ///   - random: Determines which values.
  /// - Returns: Views of the same shapes.
  /// - SeeAlso: Srivastava et al. 2014, *Dropout*.
  public func dropping(_ share: Double, random: RandomSource) -> InputViews {
    precondition(0..<1 ~= share, "a fraction of \(share)")
    guard share > 0 else { return self }
    func thinned(_ x: Tensor) -> Tensor {
      let kept = random.bernoulli(x.shape, probability: 1 - share, dtype: x.dtype, on: x.device)
      return x * kept * (1 / (1 - share))
    }
    return InputViews(
      pooled: thinned(pooled),
      sequence: PackedRows(rows: thinned(sequence.rows), lengths: sequence.lengths))
  }
}
