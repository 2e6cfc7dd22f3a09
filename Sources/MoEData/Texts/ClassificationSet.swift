package import MoECore
public import MoEModels
package import MoETensor

/// Texts as tokens, with their targets.
public struct ClassificationSet {
  /// The texts themselves, with their lines.
  public let texts: [LabelledText]
  /// The tokens.
  public var tokens: [TokenizedText]
  /// The class of each text, from 0; zeros for scores.
  public var labels: [Int]
  /// The score of each text as its position in the range, from 0 to 1; zeros for classes.
  public var scores: [Float]
  /// The kind of each text, if kinds are distinguished.
  public var kinds: [Int]?
  /// Names of the kinds.
  public var kindNames: [String]
  /// Number of texts that were truncated to the maximum length.
  public private(set) var truncated = 0
  /// The states of a frozen encoder for the texts.
  package var states: EncodedStates?

  /// Number of texts.
  public var count: Int { tokens.count }

  /// Encodes texts.
  ///
  /// - Throws: ``DataError`` for a text without tokens.
  public init(_ texts: LabelledTexts, with preparation: TextPreparation) throws(DataError) {
    self.texts = texts.texts
    tokens = []
    tokens.reserveCapacity(texts.texts.count)
    for text in texts.texts {
      guard let prepared = preparation(text.first, text.second) else {
        throw .invalidLine(
          texts.paths[text.file], line: text.line,
          problem: "has a text without tokens; remove it")
      }
      tokens.append(prepared.text)
      if prepared.isTruncated { truncated += 1 }
    }
    labels = texts.texts.map(\.label)
    kindNames = texts.kinds
    kinds = texts.kinds.isEmpty ? nil : texts.texts.map { $0.kind ?? 0 }
    if case .score(let range) = texts.target {
      let width = range.upperBound - range.lowerBound
      scores = texts.texts.map { Float(($0.score - range.lowerBound) / width) }
    } else {
      scores = texts.texts.map { _ in 0 }
    }
  }

  /// Both views of some texts.
  package func views(
    _ texts: [Int], encoder: any TextEncoder, dtype: DType, on device: Device
  ) -> InputViews {
    states?.views(texts, dtype: dtype, on: device) ?? encoder(texts.map { tokens[$0] })
  }
}
