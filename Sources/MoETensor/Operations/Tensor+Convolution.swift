private let conv2dOperator = Operator("conv2d")

/// Convolutions, and images as sequences of patches.
extension Tensor {
  /// Convolves images.
  ///
  /// - Parameters:
  ///   - weight: Shape `[outputs, channels / groups, kernelHeight, kernelWidth]`.
  ///   - bias: Shape `[outputs]`.
  ///   - stride: Distance between windows, vertically and horizontally.
  ///   - padding: Number of zeros added at each border.
  ///   - groups: Number of independent groups of channels; it divides `channels` and `outputs`.
  /// - Returns: Shape `[images, outputs, newHeight, newWidth]` for this tensor's
  ///   `[images, channels, height, width]`.
  public func convolved2D(
    _ weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, groups: Int = 1
  ) -> Tensor {
    conv2dOperator(self, weight, bias, [stride, stride], [padding, padding], [1, 1], groups)
  }

  /// The order of the elements within a patch.
  public enum PatchOrder: Hashable, Sendable {
    /// Channel, row, column: as in a convolution's flattened weight and DiT's patch embedding.
    case channelsFirst
    /// Row, column, channel: as in DiT's final layer.
    case channelsLast
  }

  /// Cuts images, shape `[images, channels, height, width]`, into square patches, row by row.
  ///
  /// - Returns: Shape `[images, patches, channels · patchSize²]`.
  /// - Precondition: `patchSize` divides height and width.
  public func patchified(patchSize: Int, order: PatchOrder) -> Tensor {
    let (images, channels, height, width) = (size(0), size(1), size(2), size(3))
    require(
      height.isMultiple(of: patchSize) && width.isMultiple(of: patchSize),
      "patches of \(patchSize) in images of \(height)×\(width)")
    let (rows, columns) = (height / patchSize, width / patchSize)
    let axes = order == .channelsFirst ? [0, 2, 4, 1, 3, 5] : [0, 2, 4, 3, 5, 1]
    return reshaped([images, channels, rows, patchSize, columns, patchSize])
      .permuted(axes)
      .reshaped([images, rows * columns, channels * patchSize * patchSize])
  }

  /// Reassembles images from patches, shape `[images, patches, channels · patchSize²]`.
  ///
  /// - Parameters:
  ///   - patchSize: Rows and columns of a patch.
  ///   - order: The order of the elements within a patch.
  ///   - rows: Patches from top to bottom.
  ///   - columns: Patches from left to right.
  /// - Returns: Shape `[images, channels, rows · patchSize, columns · patchSize]`.
  public func unpatchified(patchSize: Int, order: PatchOrder, rows: Int, columns: Int) -> Tensor {
    let (images, channels) = (size(0), size(2) / (patchSize * patchSize))
    let grid = [images, rows, columns]
    let parts =
      order == .channelsFirst
      ? reshaped(grid + [channels, patchSize, patchSize]).permuted([0, 3, 1, 4, 2, 5])
      : reshaped(grid + [patchSize, patchSize, channels]).permuted([0, 5, 1, 3, 2, 4])
    return parts.reshaped([images, channels, rows * patchSize, columns * patchSize])
  }
}
