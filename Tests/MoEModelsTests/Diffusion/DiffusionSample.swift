import MoECore
import MoEModels
import MoERouting
import MoETensor

/// Small diffusion transformers and batches for tests.
enum DiffusionSample {
  static func configuration(
    _ router: DiffusionExpertsConfiguration.Router?, k: Int = 1, width: Int = 32
  ) -> DiffusionConfiguration {
    var result = DiffusionConfiguration(
      imageSize: 8, channels: 2, patchSize: 2, hiddenSize: width, depth: 4, heads: 2, classes: 5)
    result.experts = router.map {
      DiffusionExpertsConfiguration($0, count: 4, hiddenSize: width, classes: 5)
    }
    result.experts?.perToken = k
    return result
  }

  /// A new model, as training starts with it.
  static func new(
    _ router: DiffusionExpertsConfiguration.Router?, k: Int = 1, seed: UInt64 = 1
  ) throws -> DiffusionTransformer {
    try DiffusionTransformer(
      configuration(router, k: k), weights: RandomWeights(RandomSource(seed: seed)))
  }

  /// A model whose weights that start as zeros are random, so that everything has an effect.
  static func awake(
    _ router: DiffusionExpertsConfiguration.Router?, k: Int = 1, seed: UInt64 = 1
  ) throws -> DiffusionTransformer {
    let model = try new(router, k: k, seed: seed)
    let random = RandomSource(seed: seed + 100)
    for named in model.parameters + model.buffers
    where named.name.contains("adaLN") || named.name.contains("final")
      || named.name.contains("centroids")
    {
      let parameter = named.parameter
      parameter.assign(random.normal(parameter.value.shape, standardDeviation: 0.3))
    }
    return model
  }

  static func images(_ count: Int, seed: UInt64 = 7) -> Tensor {
    RandomSource(seed: seed).normal([count, 2, 8, 8])
  }

  static func times(_ count: Int) -> Tensor {
    Tensor((0..<count).map { Float(100 + 800 * $0 / count) })
  }
}

extension DiffusionTransformer {
  /// Replaces weights whose names contain a text by other random ones.
  func scramble(_ text: String, seed: UInt64) {
    let random = RandomSource(seed: seed)
    for named in parameters where named.name.contains(text) {
      let parameter = named.parameter
      parameter.assign(random.normal(parameter.value.shape))
    }
  }
}
