private let layerNormOperator = Operator("layer_norm")
private let rmsNormOperator = Operator("rms_norm")
private let batchNormOperator = Operator("batch_norm")

/// Normalization along the last axis, or of channels.
extension Tensor {
  /// (x - mean) / √(variance + ε) · weight + bias along the last axis; the shape is kept.
  ///
  /// - Parameters:
  ///   - weight: Shape `[size of the last axis]`; ones if omitted.
  ///   - bias: Shape `[size of the last axis]`; zeros if omitted.
  ///   - epsilon: ε, which keeps constant rows finite.
  /// - Returns: The normalized rows.
  /// - SeeAlso: Ba et al. 2016, *Layer Normalization*,
  ///   [arXiv:1607.06450](https://arxiv.org/abs/1607.06450).
  public func layerNorm(weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double) -> Tensor {
    layerNormOperator(self, [size(-1)], weight, bias, epsilon)
  }

  /// x / √(mean of x² + ε) · weight along the last axis; the shape is kept.
  ///
  /// - Parameters:
  ///   - weight: Shape `[size of the last axis]`; ones if omitted.
  ///   - epsilon: ε, which keeps zero rows finite.
  /// - Returns: The normalized rows.
  /// - SeeAlso: Zhang and Sennrich 2019, *Root Mean Square Layer Normalization*,
  ///   [arXiv:1910.07467](https://arxiv.org/abs/1910.07467).
  public func rmsNorm(weight: Tensor? = nil, epsilon: Double) -> Tensor {
    if let weight, let result = rmsNormKernel(weight: weight, epsilon: epsilon) { return result }
    return rmsNormOperator(self, [size(-1)], weight, epsilon)
  }

  /// (x - mean) / √(variance + ε) · weight + bias, channel by channel; the shape is kept.
  ///
  /// - Parameters:
  ///   - weight: Shape `[channels]`.
  ///   - bias: Shape `[channels]`.
  ///   - statistics: Mean and variance of each channel, shape `[channels]`; `nil` to compute them
  ///     from this batch, with gradients flowing through them.
  ///   - epsilon: ε, which keeps constant channels finite.
  /// - Returns: A tensor of this shape, `[images, channels, …]`.
  /// - SeeAlso: Ioffe and Szegedy 2015, *Batch Normalization*,
  ///   [arXiv:1502.03167](https://arxiv.org/abs/1502.03167).
  public func batchNorm(
    weight: Tensor, bias: Tensor, statistics: (mean: Tensor, variance: Tensor)? = nil,
    epsilon: Double
  ) -> Tensor {
    batchNormOperator(
      self, weight, bias, statistics?.mean, statistics?.variance, statistics == nil, 0.0, epsilon,
      false)
  }
}
