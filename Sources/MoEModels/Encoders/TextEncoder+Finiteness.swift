package import MoETensor

extension TextEncoder {
  /// Refuses states that are not finite.
  ///
  /// - Parameters:
  ///   - states: The states, or another form of them.
  ///   - texts: The texts that led to them.
  /// - Throws: ``NonFiniteScores``, which says where they come from.
  package func check(
    _ states: [Tensor], of texts: [TokenizedText]
  ) throws(NonFiniteScores) {
    guard !states.allSatisfy(\.isAllFinite) else { return }
    throw withoutGradients {
      var search = FiniteSearch()
      var dtype = states[0].dtype
      for text in texts where search.found == nil {
        let views = encode([text], looking: &search)
        // States that are finite in the encoder's type may not be in another form.
        if search.found == nil { dtype = states.first { !$0.isAllFinite }?.dtype ?? dtype }
        search.look(at: views.pooled, rows: 1, "the pooled vector", weights: "")
      }
      return search.error(parameters, dtype: dtype)
    }
  }

  /// Encodes a text, and looks at what each layer gives, if this encoder shows it.
  func encode(
    _ texts: [TokenizedText], looking search: inout FiniteSearch
  ) -> InputViews {
    let rows = texts.reduce(0) { $0 + $1.ids.count }
    guard let layered = self as? TransformerEncoder else {
      let views = self(texts)
      search.look(at: views.sequence.rows, rows: rows, "the embedding", weights: "")
      return views
    }
    return layered.encode(texts) { place, prefix, hidden in
      search.look(at: hidden, rows: rows, place, weights: prefix)
    }
  }
}
