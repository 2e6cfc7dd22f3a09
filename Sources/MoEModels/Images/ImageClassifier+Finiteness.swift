package import MoETensor

extension ImageClassifier {
  /// Refuses outputs that are not finite.
  ///
  /// - Parameters:
  ///   - output: The outputs.
  ///   - images: The images that led to them.
  /// - Throws: ``NonFiniteScores``, which says where they come from.
  package func check(_ output: Output, of images: Tensor) throws(NonFiniteScores) {
    guard !(output.features.isAllFinite && output.logits.isAllFinite) else { return }
    throw withoutGradients {
      var search = FiniteSearch()
      let rows = images.size(0)
      let again = run(images, training: false) { place, prefix, hidden in
        search.look(at: hidden, rows: rows, place, weights: prefix)
      }
      search.look(at: again.logits, rows: rows, "the linear layer", weights: "linear.")
      return search.error(parameters + statistics, unit: .image, dtype: images.dtype)
    }
  }
}
