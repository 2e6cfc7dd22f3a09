import MoECore
public import MoETensor

extension DiffusionSampler {
  /// Default number of images per batch.
  public static let usualBatch = 128

  /// Makes any number of images, batch after batch, so that memory does not grow with their number.
  ///
  /// They equal the images of a single batch, except for rounding and for models whose experts
  /// choose from the whole batch.
  ///
  /// - Parameters:
  ///   - model: The model that removes the noise.
  ///   - labels: The label of each image, from 0; the null label, if there is one, is the number of
  ///     classes.
  ///   - seed: Determines all noise.
  ///   - batchSize: Images per batch, at least 1.
  ///   - device: The model's device.
  ///   - observe: Called with the number of finished images, and with the batch in progress.
  /// - Returns: Shape `[images, channels, rows, columns]`, f32.
  /// - Throws: ``ImageSamplingError`` when the model does not fit, and `SettingError` for a label or guidance out of
  ///   range, before work starts; or what `observe` throws.
  public func images(
    from model: some Denoiser, labels: [Int], seed: UInt64, batchSize: Int,
    on device: Device = .cpu, observe: (Int, Progress) throws -> Void = { _, _ in }
  ) throws -> Tensor {
    precondition(batchSize >= 1, "batches of \(batchSize) images")
    try check(model, labels: labels)
    let starts = Array(stride(from: 0, to: max(1, labels.count), by: batchSize))
    let batches = try starts.map { start in
      try images(
        from: model, labels: Array(labels[start..<min(start + batchSize, labels.count)]),
        seed: seed, first: start, on: device
      ) { try observe(start, $0) }
    }
    return batches.count == 1 ? batches[0] : Tensor.concatenated(batches, axis: 0)
  }
}
