/// The sizes of a language model, as its ``ModelSummary`` lists them.
public struct DecoderDetails: Hashable, Codable, Sendable {
  /// Number of layers.
  public var layers: Int
  /// Number of sparse layers.
  public var sparseLayers: Int
  /// Routed experts per sparse layer.
  public var experts: Int
  /// Routed experts per token, on average.
  public var expertsPerToken: Double
  /// Width of the residual stream.
  public var hiddenSize: Int
  /// Tokens in the vocabulary.
  public var vocabularySize: Int
  /// Longest text in training, in tokens.
  public var contextLength: Int
  /// Tokens of the tokenizer, if there is one.
  public var tokenizerSize: Int?

  init(_ c: DecoderConfiguration) {
    (layers, sparseLayers) = (c.layers.count, c.sparseLayers.count)
    (experts, expertsPerToken) = (c.experts, c.expertsPerToken)
    (hiddenSize, vocabularySize) = (c.hiddenSize, c.vocabularySize)
    contextLength = c.contextLength
  }

  /// The sizes as text.
  var facts: [ModelSummary.Fact] {
    [
      .init(
        name: "layers",
        value: sparseLayers == 0
          ? "\(layers), all dense" : "\(layers), \(sparseLayers) of them sparse"),
      .init(
        name: "experts",
        value: sparseLayers == 0
          ? "none" : "\(experts) per sparse layer, \(Self.plain(expertsPerToken)) per token"),
      .init(name: "hidden size", value: "\(hiddenSize)"),
      .init(name: "vocabulary", value: "\(vocabularySize)"),
      .init(name: "context", value: "\(contextLength) tokens"),
    ]
  }

  private static func plain(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(value)"
  }
}
