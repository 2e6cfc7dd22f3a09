import MoECore
import MoERouting
import MoETensor

/// A forward pass in f32 with only one layer in memory, for models larger than memory.
enum LayerwiseForward {
  /// Scores the next token at every position.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - tokens: Token ids, all in the vocabulary.
  ///   - dtype: The type to which weights are rounded before conversion to f32.
  ///   - progress: Receives the number of layers done so far.
  /// - Returns: The scores, f32, shape `[positions, vocabulary]`.
  /// - Throws: As `StoredModel.decoder(dtype:)`.
  static func logits(
    _ model: StoredModel, tokens: [Int], roundedTo dtype: DType,
    progress: (Int) -> Void = { _ in }
  ) throws -> Tensor {
    let c = model.configuration
    func builder() -> DecoderBuilder {
      let weights = MappedWeights(
        model.weights(dtype: dtype), converting: { $1.cast(to: .f32) })
      return DecoderBuilder(c, names: model.names, weights: weights, banks: .standard)
    }
    func vocabulary(_ name: String) throws -> Tensor {
      try builder().weight(name, [c.vocabularySize, c.hiddenSize]).value
    }
    let angles = RotaryEmbedding(
      width: c.headSize, base: c.rotaryBase, scaling: c.rotaryScaling
    ).angles(0..<tokens.count, on: .cpu)
    let context = RoutingContext(sequenceLengths: [tokens.count])
    return try withoutGradients {
      let embedding = "model.embed_tokens.weight"
      var hidden = try vocabulary(embedding).embedding(Tensor(tokens, shape: [1, tokens.count]))
      for place in c.layers.indices {
        progress(place)
        hidden =
          try builder().layer(place)(hidden, angles: angles, cache: nil, context: context).hidden
      }
      let normalized = try builder().normalization("model.norm", c.hiddenSize)(hidden)
      return normalized[0].linear(try vocabulary(c.tiesEmbeddings ? embedding : "lm_head.weight"))
    }
  }
}
