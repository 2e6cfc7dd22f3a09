public import MoETensor

/// The tokens of one text, or of a pair of texts, with the special tokens that the encoder expects.
public struct TokenizedText: Hashable, Sendable {
  /// Token ids, at least one.
  public var ids: [Int]
  /// The index at which the second text of a pair begins; the number of tokens if there is none.
  public var secondStart: Int

  /// Wraps tokens.
  ///
  /// - Precondition: There is at least one token.
  public init(_ ids: [Int], secondStart: Int? = nil) {
    precondition(!ids.isEmpty, "a text without tokens")
    (self.ids, self.secondStart) = (ids, secondStart ?? ids.count)
  }
}

/// A network that encodes tokens: one vector per text, and one per token.
public protocol TextEncoder: AnyObject {
  /// The architecture.
  var configuration: EncoderConfiguration { get }
  /// All weights by name.
  var parameters: [NamedParameter] { get }

  /// Encodes texts.
  ///
  /// - Parameter texts: At most ``EncoderConfiguration/contextLength`` tokens each, all in the
  ///   vocabulary; at least one text.
  /// - Returns: Both views of every text, in the order of the texts.
  func callAsFunction(_ texts: [TokenizedText]) -> InputViews
}

extension EncoderConfiguration {
  /// Builds an encoder with weights from a source.
  ///
  /// - Throws: What the source throws.
  public func encoder(weights: some WeightSource) throws -> any TextEncoder {
    switch family {
    case .bag: try BagEncoder(self, weights: weights)
    case .bert, .distilbert: try TransformerEncoder(self, weights: weights)
    }
  }

  /// Ends the program unless texts are valid for the encoder.
  func check(_ texts: [TokenizedText]) {
    for text in texts {
      precondition(
        text.ids.count <= contextLength && text.ids.allSatisfy { 0..<vocabularySize ~= $0 },
        "a text of \(text.ids.count) tokens up to \(text.ids.max() ?? 0) for an encoder of \(contextLength) tokens and a vocabulary of \(vocabularySize)"
      )
    }
  }
}

extension PackedRows {
  /// The mean row of each sequence, `[sequences, width]`.
  package var means: Tensor {
    var shares = [Float](repeating: 0, count: lengths.count * rows.size(0))
    for (sequence, (start, length)) in zip(starts, lengths).enumerated() {
      let first = sequence * rows.size(0) + start
      for place in first..<first + length { shares[place] = 1 / Float(length) }
    }
    let matrix = Tensor(shares, shape: [lengths.count, rows.size(0)])
    return matrix.cast(to: rows.dtype).moved(to: rows.device).matmul(rows)
  }

  /// The first row of each sequence, `[sequences, width]`.
  package var firsts: Tensor { rows.selecting(Tensor(starts).moved(to: rows.device)) }
}
