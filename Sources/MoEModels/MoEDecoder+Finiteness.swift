import MoECore
package import MoETensor

extension MoEDecoder {
  /// Refuses scores that are not finite.
  ///
  /// - Parameters:
  ///   - scores: Of any shape.
  ///   - tokens: The tokens that led to them.
  ///   - start: Position of the first of these in the text.
  /// - Throws: ``NonFiniteScores``, which says where they come from.
  package func check(
    _ scores: Tensor, of tokens: [Int], from start: Int = 0
  ) throws(NonFiniteScores) {
    guard !scores.isAllFinite else { return }
    throw nonFinite(in: tokens, from: start)
  }

  /// Computes once more to find the layer and the position where numbers stop being finite.
  ///
  /// - Parameters:
  ///   - tokens: The tokens, at least one.
  ///   - start: Position of the first of these in the text.
  /// - Returns: The error to throw.
  package func nonFinite(in tokens: [Int], from start: Int = 0) -> NonFiniteScores {
    withoutGradients {
      var search = FiniteSearch()
      let rows = tokens.count
      let input = Tensor(tokens, shape: [1, rows]).moved(to: embedding.device)
      let output = run(input, in: wholeSequences(input, as: .prompt), .all) {
        layer, hidden, context in
        if layer.place == 0 {
          search.look(at: hidden, rows: rows, "the embedding", weights: "model.embed_tokens.")
        }
        let output = layer(hidden, in: context)
        search.look(
          at: output.hidden, rows: rows, "layer \(layer.place)",
          weights: "model.layers.\(layer.place).")
        return output
      }
      search.look(at: output.logits, rows: rows, Self.head, weights: "")
      return search.error(parameters, from: start, dtype: embedding.dtype)
    }
  }

  /// What follows the layers, in messages.
  static var head: String { "the final normalization with the head" }
}
