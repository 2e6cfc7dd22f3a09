public import MoETensor

/// Embeddings without attention; the pooled view depends on a text's tokens, but not on their
/// order.
///
///     sequence = embedding(tokens)
///     pooled = down(tanh(up(mean(sequence))))
///
/// A substitute for an encoder: only experts that read the sequence can distinguish texts by order.
public final class BagEncoder: TextEncoder {
  /// The architecture.
  public let configuration: EncoderConfiguration
  /// All weights by name.
  public let parameters: [NamedParameter]
  private let embedding: Parameter
  private let network: FeedForward

  /// Builds an encoder with weights from a source.
  ///
  /// - Throws: What the source throws.
  public init(_ configuration: EncoderConfiguration, weights: some WeightSource) throws {
    let builder = EncoderBuilder(weights)
    let (hidden, inner) = (configuration.hiddenSize, configuration.innerSize)
    self.configuration = configuration
    // PyTorch's initialization of embeddings; nothing normalizes them here.
    embedding = try builder.weight(
      "embeddings.weight", [configuration.vocabularySize, hidden], .normal(1))
    network = FeedForward(
      gate: nil, up: try builder.linear("pooled.up_proj", inner, hidden),
      down: try builder.linear("pooled.down_proj", hidden, inner), activation: .tanh)
    parameters = builder.parameters
  }

  /// Encodes texts.
  public func callAsFunction(_ texts: [TokenizedText]) -> InputViews {
    configuration.check(texts)
    let tokens = Tensor(texts.flatMap(\.ids)).moved(to: embedding.value.device)
    let sequence = PackedRows(
      rows: embedding.value.embedding(tokens), lengths: texts.map(\.ids.count))
    return InputViews(pooled: network(sequence.means), sequence: sequence)
  }
}

/// Requests the weights of an encoder from a source.
final class EncoderBuilder {
  private(set) var parameters: [NamedParameter] = []
  private let weights: any WeightSource

  init(_ weights: any WeightSource) { self.weights = weights }

  func weight(_ name: String, _ shape: [Int], _ start: WeightStart) throws -> Parameter {
    let parameter = try weights.weight(name, shape, start: start)
    parameters.append(NamedParameter(name, parameter))
    return parameter
  }

  func linear(_ name: String, _ outputs: Int, _ inputs: Int) throws -> Linear {
    let start = WeightStart.uniform(1 / Double(inputs).squareRoot())
    let matrix = try weights.linear(
      name + ".weight", outputs: outputs, inputs: inputs, start: start)
    if let parameter = matrix as? Parameter {
      parameters.append(NamedParameter(name + ".weight", parameter))
    }
    return Linear(
      weight: matrix,
      bias: try weight(name + ".bias", [outputs], start))
  }

  func normalization(_ name: String, _ width: Int, epsilon: Double) throws -> Normalization {
    Normalization(
      .layer, weight: try weight(name + ".weight", [width], .ones),
      bias: try weight(name + ".bias", [width], .zeros), epsilon: epsilon)
  }
}
