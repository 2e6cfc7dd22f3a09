import MoETensor

extension TextClassifier {
  /// Refuses outputs that are not finite.
  ///
  /// - Parameters:
  ///   - output: The outputs of the head.
  ///   - texts: The texts that led to them.
  /// - Throws: ``NonFiniteScores``, which says where they come from.
  package func check(
    _ output: MixedLayer.Output, of texts: [TokenizedText]
  ) throws(NonFiniteScores) {
    guard !(output.answers.isAllFinite && output.logits.isAllFinite) else { return }
    throw withoutGradients {
      var search = FiniteSearch()
      // One text at a time, so that a row is a position of it.
      for text in texts where search.found == nil {
        let views = encoder.encode([text], looking: &search)
        let output = mixture(views)
        search.look(at: output.logits, rows: 1, "the gate", weights: "")
        search.look(at: output.answers, rows: 1, "the expert", weights: "experts.")
      }
      let dtype = mixture.layer.gate.weight.dtype
      // Names of the encoder's weights lack the model's prefix, as the search's do.
      return search.error(encoder.parameters + mixture.parameters, dtype: dtype)
    }
  }
}
