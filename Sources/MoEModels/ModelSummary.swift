import MoETokenizers
import MoECore
import MoETensor
public import SystemPackage

/// What a model folder holds.
public struct ModelSummary: Hashable, Codable, Sendable {
  /// Name of the family.
  public var family: String
  /// Weights in all.
  public var parameters: Int
  /// Weights that work on one token.
  public var activeParameters: Int
  /// Number of layers.
  public var layers: Int
  /// Number of sparse layers.
  public var sparseLayers: Int
  /// Routed experts per sparse layer.
  public var experts: Int
  /// Routed experts that work on a token, on average.
  public var expertsPerToken: Double
  /// Width of the residual stream.
  public var hiddenSize: Int
  /// Tokens in the vocabulary.
  public var vocabularySize: Int
  /// Longest text of training, in tokens.
  public var contextLength: Int
  /// Element types of the weights and the bytes that each takes.
  public var bytesByType: [String: Int]
  /// Bytes of all weights.
  public var bytes: Int
  /// Tokens that the tokenizer knows, if there is one.
  public var tokenizerSize: Int?
  /// What is odd about the folder, although the model opens.
  public var warnings: [String]

  /// Reads the configuration and the headers of a folder or a GGUF file, and checks that every weight is there.
  ///
  /// - Throws: ``ModelError`` and others, as ``MoEDecoder/open(_:dtype:)``.
  public init(_ path: FilePath) throws {
    let model = try StoredModel(path)
    let (configuration, inventory) = (model.configuration, try model.inventory())
    self.init(configuration, inventory.weights, unused: inventory.unused)
    do {
      let tokenizer = try model.tokenizer()
      tokenizerSize = tokenizer.vocabularyCount
      if tokenizer.vocabularyCount > configuration.vocabularySize {
        warnings.append(
          "the tokenizer knows \(tokenizer.vocabularyCount) tokens, the model only \(configuration.vocabularySize)"
        )
      }
    } catch {
      warnings.append("no tokenizer: \(error)")
    }
  }

  private init(
    _ c: DecoderConfiguration, _ weights: [StoredModel.WeightHeader], unused: [String]
  ) {
    (self.family, layers, sparseLayers) = (c.family, c.layers.count, c.sparseLayers.count)
    (experts, expertsPerToken) = (c.experts, c.expertsPerToken)
    (hiddenSize, vocabularySize) = (c.hiddenSize, c.vocabularySize)
    contextLength = c.contextLength
    parameters = weights.reduce(0) { $0 + $1.count }
    let matrices = c.form == .gated ? 3 : 2
    let idle = Double(c.experts) - c.expertsPerToken
    let idleWeights = idle * Double(matrices * c.expertInner * c.hiddenSize * c.sparseLayers.count)
    activeParameters = parameters - Int(idleWeights)
    bytesByType = weights.reduce(into: [:]) { sums, weight in
      sums[weight.type, default: 0] += weight.bytes
    }
    bytes = bytesByType.values.reduce(0, +)
    warnings = unused.isEmpty ? [] : [Self.warning(unused)]
  }

  private static func warning(_ unused: [String]) -> String {
    let names = unused.prefix(3).map(\.printable).joined(separator: ", ")
    return
      "\(unused.count) tensors belong to no part of the model: \(names)\(unused.count > 3 ? ", …" : "")"
  }

  /// The summary for people, line by line.
  public var text: String {
    let types = bytesByType.sorted { $0.key < $1.key }
      .map { "\($0.key) \(ByteCount($0.value))" }.joined(separator: ", ")
    let rows = [
      ("family", family),
      (
        "parameters",
        "\(NumberText.amount(parameters)), \(NumberText.amount(activeParameters)) active per token"
      ),
      (
        "layers",
        sparseLayers == 0 ? "\(layers), all dense" : "\(layers), \(sparseLayers) of them sparse"
      ),
      ("experts", expertsText),
      ("hidden size", "\(hiddenSize)"), ("vocabulary", "\(vocabularySize)"),
      ("context", "\(contextLength) tokens"), ("weights", types),
      ("tokenizer", tokenizerSize.map { "\($0) tokens" } ?? "none"),
    ]
    let lines = rows.map { $0.0 + String(repeating: " ", count: 13 - $0.0.count) + $0.1 }
    return (lines + warnings.map { "warning      \($0)" }).joined(separator: "\n")
  }

  private var expertsText: String {
    sparseLayers == 0
      ? "none" : "\(experts) per sparse layer, \(Self.plain(expertsPerToken)) per token"
  }

  private static func plain(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(value)"
  }
}
