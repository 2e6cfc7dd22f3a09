import MoERouting

/// Sizes of diffusion transformers.
public enum DiffusionSize: String, Hashable, Codable, Sendable, CaseIterable {
  /// 12 blocks of width 384, for latents of 32×32.
  case small = "S"
  /// 12 blocks of width 768, for latents of 32×32.
  case base = "B"
  /// 24 blocks of width 1024, for latents of 32×32.
  case large = "L"
  /// 28 blocks of width 1152, for latents of 32×32.
  case extraLarge = "XL"
  /// 4 blocks of width 64, for images of 8×8 pixels.
  case pixels8 = "8x8"
  /// 6 blocks of width 128, for images of 16×16 pixels.
  case pixels16 = "16x16"
  /// 8 blocks of width 256, for images of 32×32 pixels.
  case pixels32 = "32x32"

  /// The sizes of the paper, for latents of an autoencoder.
  public static let latent: [DiffusionSize] = [.small, .base, .large, .extraLarge]
}

extension DiffusionConfiguration {
  /// A preset size with one of the rules.
  ///
  /// The paper's four sizes are for latents of four channels and 1000 classes, and learn the
  /// variance. Those for pixels have 6 or 8 routed experts and do not learn it; they were chosen to
  /// train in minutes to hours on a laptop.
  ///
  /// - Parameters:
  ///   - size: The size.
  ///   - router: The rule; `nil` for a dense model of the same active weights.
  ///   - classes: Number of classes; by default 1000 for latents, 10 for pixels.
  ///   - channels: Channels of an image; by default 4 for latents, 1 for 8×8 and 16×16 pixels, 3 for 32×32.
  /// - Returns: The architecture.
  public static func preset(
    _ size: DiffusionSize, router: DiffusionExpertsConfiguration.Router?, classes: Int? = nil,
    channels: Int? = nil
  ) -> DiffusionConfiguration {
    let isLatent = DiffusionSize.latent.contains(size)
    let classes = classes ?? (isLatent ? 1000 : 10)
    var result = DiffusionConfiguration(
      imageSize: 32, channels: channels ?? (isLatent ? 4 : 1), patchSize: 2, hiddenSize: 384,
      depth: 12, heads: 6, classes: classes, learnsSigma: isLatent)
    var experts: Int?
    switch size {
    case .small: break
    case .base: (result.hiddenSize, result.heads) = (768, 12)
    case .large: (result.hiddenSize, result.depth, result.heads) = (1024, 24, 16)
    case .extraLarge: (result.hiddenSize, result.depth, result.heads) = (1152, 28, 16)
    case .pixels8:
      (result.imageSize, result.hiddenSize, result.depth, result.heads) = (8, 64, 4, 4)
      experts = router?.hasRoles == true ? 6 : 4
    case .pixels16:
      (result.imageSize, result.hiddenSize, result.depth, result.heads) = (16, 128, 6, 4)
      experts = router?.hasRoles == true ? 8 : 4
    case .pixels32:
      (result.patchSize, result.hiddenSize, result.depth, result.heads) = (4, 256, 8, 4)
      result.channels = channels ?? 3
      experts = router?.hasRoles == true ? 8 : 4
    }
    result.experts = router.map {
      DiffusionExpertsConfiguration(
        $0, count: experts, hiddenSize: result.hiddenSize, classes: classes)
    }
    return result
  }
}
