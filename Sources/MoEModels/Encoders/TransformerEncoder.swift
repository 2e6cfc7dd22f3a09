public import MoETensor

/// BERT and DistilBERT: every token attends to all tokens of its text.
///
///     h = norm(word + position + segment)
///     for each layer:  h = norm(h + attention(h));  h = norm(h + network(h))
///
/// Texts are not padded: linear layers process the tokens of all texts at once, attention processes
/// texts grouped by length, so no work is done for padding and nothing can attend to it.
public final class TransformerEncoder: TextEncoder {
  /// The architecture.
  public let configuration: EncoderConfiguration
  /// All weights by name, as transformers names them.
  public let parameters: [NamedParameter]
  private let words: Parameter
  private let positions: Parameter
  private let segments: Parameter?
  private let norm: Normalization
  private let layers: [EncoderLayer]
  private let pooler: Linear?

  /// Builds an encoder with weights from a source.
  ///
  /// - Throws: What the source throws.
  public init(_ configuration: EncoderConfiguration, weights: some WeightSource) throws {
    let (builder, c) = (EncoderBuilder(weights), configuration)
    self.configuration = c
    func table(_ name: String, _ rows: Int, _ deviation: Double) throws -> Parameter {
      try builder.weight(
        "embeddings.\(name).weight", [rows, c.hiddenSize], .normal(deviation))
    }
    // Word embeddings start with PyTorch's standard deviation, so that the first steps of a small
    // encoder do not change their directions completely; positions and segments start small in
    // comparison, as in BERT.
    words = try table("word_embeddings", c.vocabularySize, 1)
    positions = try table("position_embeddings", c.contextLength, 0.02)
    segments = c.segments > 0 ? try table("token_type_embeddings", c.segments, 0.02) : nil
    norm = try builder.normalization("embeddings.LayerNorm", c.hiddenSize, epsilon: c.epsilon)
    layers = try (0..<c.layers).map { try EncoderLayer(c, place: $0, builder) }
    pooler =
      c.pooling == .pooler
      ? try builder.linear("pooler.dense", c.hiddenSize, c.hiddenSize) : nil
    parameters = builder.parameters
  }

  /// Encodes texts.
  public func callAsFunction(_ texts: [TokenizedText]) -> InputViews {
    encode(texts) { _, _, _ in }
  }

  /// Encodes texts.
  ///
  /// - Parameters:
  ///   - texts: The texts.
  ///   - watch: Shown the states of all tokens after each part, with the part's name and the prefix of its weights'.
  /// - Returns: Both views of every text.
  func encode(
    _ texts: [TokenizedText], watch: (_ part: String, _ prefix: String, Tensor) -> Void
  ) -> InputViews {
    configuration.check(texts)
    // Texts of the same length attend in one call.
    let order = texts.indices.sorted { (texts[$0].ids.count, $0) < (texts[$1].ids.count, $1) }
    let sorted = order.map { texts[$0] }
    let lengths = sorted.map(\.ids.count)
    var hidden = norm(embedded(sorted))  // [tokens, hidden]
    watch("the embedding", "embeddings.", hidden)
    let prefix = EncoderLayerNames(configuration.family).prefix
    for (place, layer) in layers.enumerated() {
      hidden = layer(hidden, lengths: lengths)
      watch("layer \(place)", "\(prefix).\(place).", hidden)
    }
    var places = [Int](repeating: 0, count: order.count)
    for (place, text) in order.enumerated() { places[text] = place }
    let sequence = PackedRows(rows: hidden, lengths: lengths).selecting(places)
    return InputViews(pooled: pooled(sequence), sequence: sequence)
  }

  private func embedded(_ texts: [TokenizedText]) -> Tensor {
    let device = words.value.device
    func rows(_ table: Parameter, _ numbers: [Int]) -> Tensor {
      table.value.embedding(Tensor(numbers).moved(to: device))
    }
    let sum =
      rows(words, texts.flatMap(\.ids)) + rows(positions, texts.flatMap { Array(0..<$0.ids.count) })
    guard let segments else { return sum }
    let kinds = texts.flatMap { text in
      text.ids.indices.map { $0 < text.secondStart ? 0 : min(1, configuration.segments - 1) }
    }
    return sum + rows(segments, kinds)
  }

  private func pooled(_ sequence: PackedRows) -> Tensor {
    switch configuration.pooling {
    case .first: return sequence.firsts
    case .mean: return sequence.means
    case .pooler:
      guard let pooler else { preconditionFailure("pooling without a pooler") }
      return pooler(sequence.firsts).tanh()
    }
  }
}

/// One layer of an encoder.
private struct EncoderLayer {
  let query: Linear
  let key: Linear
  let value: Linear
  let output: Linear
  let attentionNorm: Normalization
  let network: FeedForward
  let networkNorm: Normalization
  let heads: Int

  init(_ c: EncoderConfiguration, place: Int, _ builder: EncoderBuilder) throws {
    let (hidden, inner) = (c.hiddenSize, c.innerSize)
    let names = EncoderLayerNames(c.family)
    let prefix = "\(names.prefix).\(place)."
    heads = c.heads
    query = try builder.linear(prefix + names.query, hidden, hidden)
    key = try builder.linear(prefix + names.key, hidden, hidden)
    value = try builder.linear(prefix + names.value, hidden, hidden)
    output = try builder.linear(prefix + names.output, hidden, hidden)
    attentionNorm = try builder.normalization(
      prefix + names.attentionNorm, hidden, epsilon: c.epsilon)
    network = FeedForward(
      gate: nil, up: try builder.linear(prefix + names.up, inner, hidden),
      down: try builder.linear(prefix + names.down, hidden, inner), activation: c.activation)
    networkNorm = try builder.normalization(
      prefix + names.networkNorm, hidden, epsilon: c.epsilon)
  }

  /// Applies the layer to the tokens of texts sorted by ascending length:
  /// `[tokens, hidden] → [tokens, hidden]`.
  func callAsFunction(_ x: Tensor, lengths: [Int]) -> Tensor {
    let attended = attentionNorm(x + output(attention(query(x), key(x), value(x), lengths)))
    return networkNorm(attended + network(attended))
  }

  private func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, _ lengths: [Int]) -> Tensor {
    let width = q.size(1)
    var groups: [(texts: Int, length: Int)] = []
    for length in lengths {
      if groups.last?.length == length {
        groups[groups.count - 1].texts += 1
      } else {
        groups.append((1, length))
      }
    }
    let sizes = groups.map { $0.texts * $0.length }
    func parts(_ x: Tensor) -> [Tensor] {
      zip(sizes.count == 1 ? [x] : x.split(sizes: sizes, axis: 0), groups).map { part, group in
        part.reshaped([group.texts, group.length, heads, width / heads]).transposed(1, 2)
      }
    }
    let (queries, keys, values) = (parts(q), parts(k), parts(v))
    let answers = groups.indices.map { place in
      Tensor.attention(query: queries[place], key: keys[place], value: values[place])
        .transposed(1, 2).reshaped([sizes[place], width])
    }
    return answers.count == 1 ? answers[0] : Tensor.concatenated(answers, axis: 0)
  }
}

/// The names of a layer's weights in checkpoints.
private struct EncoderLayerNames {
  var prefix = "encoder.layer"
  var query = "attention.self.query"
  var key = "attention.self.key"
  var value = "attention.self.value"
  var output = "attention.output.dense"
  var attentionNorm = "attention.output.LayerNorm"
  var up = "intermediate.dense"
  var down = "output.dense"
  var networkNorm = "output.LayerNorm"

  init(_ family: EncoderConfiguration.Family) {
    guard family == .distilbert else { return }
    prefix = "transformer.layer"
    (query, key, value) = ("attention.q_lin", "attention.k_lin", "attention.v_lin")
    (output, attentionNorm) = ("attention.out_lin", "sa_layer_norm")
    (up, down, networkNorm) = ("ffn.lin1", "ffn.lin2", "output_layer_norm")
  }
}
