import MoECore
public import MoETensor

extension DiffusionTransformer {
  /// Computes once more to find the block and the image where numbers stop being finite.
  public func nonFinite(_ images: Tensor, times: Tensor, labels: [Int]) -> NonFiniteScores {
    withoutGradients {
      var search = FiniteSearch()
      let rows = labels.count
      var (hidden, condition) = embed(images, times: times, labels: labels)
      search.look(at: condition, rows: rows, "the embedding of times and labels", weights: "")
      search.look(at: hidden, rows: rows, "the patch embedding", weights: "")
      for block in blocks {
        hidden =
          block(hidden, condition: condition, labels: known(labels), pass: .inference).hidden
        search.look(
          at: hidden, rows: rows, "block \(block.place)", weights: "blocks.\(block.place).")
      }
      search.look(
        at: finished(hidden, condition: condition), rows: rows, "the final layer",
        weights: "final_layer.")
      return search.error(parameters + buffers, unit: .image, dtype: hidden.dtype)
    }
  }
}

extension Denoiser {
  /// Where numbers stop being finite; other models than the library's do not know.
  public func nonFinite(_ images: Tensor, times: Tensor, labels: [Int]) -> NonFiniteScores {
    NonFiniteScores(place: nil, position: nil, unit: .image, dtype: images.dtype)
  }
}
