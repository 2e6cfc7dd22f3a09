import Foundation
import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETraining
import SystemPackage

/// Hecto models on an encoder with MiniLM's shape and random weights: fine-tuning steps, single
/// texts, and the recurrent units alone.
enum ClassifierComparisons {
  /// Lengths of the texts of a batch: 16 consecutive items of AG News' test set.
  static let lengths = [40, 63, 50, 52, 42, 57, 75, 34, 41, 41, 45, 36, 48, 47, 24, 41]

  private static let config = """
    {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 30522, "hidden_size": 384,
     "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
     "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
     "hidden_act": "gelu", "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    """

  /// Writes the encoder for both sides.
  static func makeEncoder(at folder: FilePath) throws {
    try FileManager.default.createDirectory(
      atPath: folder.string, withIntermediateDirectories: true)
    try AtomicFile.write(config, to: folder.appending("config.json"))
    let configuration = try EncoderConfiguration(
      ConfigurationObject(folder.appending("config.json")))
    let encoder = try configuration.encoder(weights: RandomWeights(RandomSource(seed: 1)))
    var tensors: [String: Tensor] = [:]
    for named in encoder.parameters {
      let (name, parameter) = (named.name, named.parameter)
      tensors[name] = parameter.value
    }
    try SafetensorsFile.write(
      tensors, metadata: ["format": "pt"], to: folder.appending("model.safetensors"))
  }

  private static func text(_ number: Int, length: Int) -> TokenizedText {
    TokenizedText((0..<length).map { ($0 * 7919 + number * 104_729) % 30_522 })
  }

  private static func model(_ folder: FilePath, _ dtype: DType) throws -> TextClassifier {
    let encoder = try StoredEncoder(folder).encoder(dtype: dtype)
    let mixture = MixtureConfiguration(
      experts: [.feedForward, .recurrent], inputs: 384, outputs: 4,
      router: try SingleExpertRouter(temperature: 1.5))
    let configuration = ClassifierConfiguration(
      encoder: encoder.configuration, mixture: mixture, target: .classes(["a", "b", "c", "d"]),
      maximumLength: 128)
    return try TextClassifier(
      configuration, encoder: encoder, weights: RandomWeights(RandomSource(seed: 2)))
  }

  static func all(_ folder: FilePath) throws -> [Comparison] {
    let single = try model(folder, .f32)
    let one = text(3, length: 45)
    return [
      Comparison(
        title: "classifier: fine-tuning step, MiniLM's shape, 16 news, f32",
        peerName: "fine-tuning", iterations: 3,
        run: { try timed(iterations: $0, fineTuning(folder)) }, bar: .ratio(1 / 1.2)),
      Comparison(
        title: "classifier: one text of 45 tokens, MiniLM's shape, f32", peerName: "single",
        iterations: 30, run: { try timed(iterations: $0) { _ = try single.predict([one]) } },
        bar: .ratio(0.5)),
      Comparison(
        title: "classifier: recurrent units, 16 news, forward and backward", peerName: "recurrent",
        iterations: 20, run: { try timed(iterations: $0, recurrent()) }),
    ]
  }

  /// A training step of all weights on a batch.
  private static func fineTuning(_ folder: FilePath) throws -> () throws -> Void {
    let model = try model(folder, .f32)
    let named = model.parameters
    let optimizer = AdamW(named, settings: try AdamWSettings())
    let texts = lengths.enumerated().map { text($0, length: $1) }
    let targets = Tensor(texts.indices.map { $0 % 4 })
    return {
      let result = try valueAndGradients(
        of: {
          let output = model.mixture(model.encoder(texts), training: true)
          let p = output.routing.probabilities
          return output.answers.crossEntropy(targets: targets)
            + RoutingLosses.entropy(probabilities: p) * 0.01
            + RoutingLosses.unevenness(probabilities: p) * 0.1
        }, for: named.map(\.parameter))
      optimizer.update(gradients: result.gradients, learningRate: 2e-5)
    }
  }

  private static func recurrent() throws -> () throws -> Void {
    let source = RandomSource(seed: 5)
    let weights = [[384, 256], [384, 128], [384], [384]].map {
      source.normal($0, standardDeviation: 0.08)
    }
    let rows = source.normal([lengths.reduce(0, +), 256])
    return {
      _ = try valueAndGradients(
        of: {
          rows.lastStates(
            GRUWeights(
              input: weights[0], hidden: weights[1], inputBias: weights[2], hiddenBias: weights[3]),
            lengths: lengths
          ).sum()
        }, for: weights + [rows])
    }
  }
}
