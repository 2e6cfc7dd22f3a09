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
  /// - Throws: ``NonFiniteScores``; as `StoredModel.decoder(dtype:)`.
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
    let context = LayerContext(
      angles: angles, routing: RoutingContext(sequenceLengths: [tokens.count]), arithmetic: .prompt)
    func check(_ x: Tensor, _ place: String, _ weights: [NamedParameter]) throws {
      var search = FiniteSearch()
      search.look(at: x, rows: tokens.count, place, weights: "")
      if search.found != nil { throw search.error(weights, dtype: dtype) }
    }
    return try withoutGradients {
      let embedding = "model.embed_tokens.weight"
      var hidden = try vocabulary(embedding).embedding(Tensor(tokens, shape: [1, tokens.count]))
      try check(hidden, "the embedding", [])
      for place in c.layers.indices {
        progress(place)
        let builder = builder()
        let layer = try builder.layer(place)
        hidden = layer(hidden, in: context).hidden
        try check(hidden, "layer \(place)", builder.parameters)
      }
      let builder = builder()
      let normalized = try builder.normalization("model.norm", c.hiddenSize)(hidden)
      let scores = normalized[0].linear(
        try vocabulary(c.tiesEmbeddings ? embedding : "lm_head.weight"), as: .prompt)
      try check(scores, MoEDecoder.head, builder.parameters)
      return scores
    }
  }
}
