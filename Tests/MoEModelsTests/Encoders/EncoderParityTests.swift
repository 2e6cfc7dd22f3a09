import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Fixtures: `Tests/Fixtures/make/encoders.py`.
@Suite("Encoders, compared with transformers")
struct EncoderParityTests {
  static let names = ["bert", "bert-relu", "distilbert"]

  /// A model and what the reference computed with it.
  private struct Case {
    let stored: StoredEncoder
    let expected: SafetensorsFile
    let lengths: [Int]
    let texts: [TokenizedText]

    init(_ name: String) throws {
      let folder = Fixtures.path("encoders").appending(name)
      stored = try StoredEncoder(folder)
      expected = try SafetensorsFile(folder.appending("expected.safetensors"))
      lengths = try expected.tensor(named: "lengths").array(of: Int.self)
      let tokens = try expected.tensor(named: "tokens")
      texts = lengths.enumerated().map { row, length in
        TokenizedText(
          Array(tokens[row].array(of: Int.self).prefix(length)),
          secondStart: name == "distilbert" ? nil : length / 2)
      }
    }

    /// The valid rows of a padded tensor `[texts, positions, width]`.
    func packed(_ padded: Tensor) -> Tensor {
      Tensor.concatenated(
        lengths.enumerated().map { row, length in padded[row][0..<length] }, axis: 0)
    }
  }

  private func encoded(_ texts: [TokenizedText], by stored: StoredEncoder) throws -> InputViews {
    let encoder = try stored.encoder()
    return encoder(texts)
  }

  @Test(
    "give the same hidden states for every token, whatever else is in the batch", arguments: names)
  func states(name: String) throws {
    let test = try Case(name)
    let encoder = try test.stored.encoder()
    let views = encoder(test.texts)
    let expected = test.packed(try test.expected.tensor(named: "hidden"))
    #expect(views.sequence.lengths == test.lengths)
    expectClose(views.sequence.rows, expected, .logits)
    expectClose(views.pooled, views.sequence.rows.selecting(Tensor(views.sequence.starts)), .exact)
    for (number, text) in test.texts.enumerated() {
      let alone = encoder([text])
      expectClose(alone.sequence.rows, views.sequence.selecting([number]).rows, .sums)
    }
  }

  @Test("pool by the mean, and by BERT's pooler", arguments: names)
  func pooling(name: String) throws {
    let test = try Case(name)
    var stored = test.stored
    stored.configuration.pooling = .mean
    let means = try encoded(test.texts, by: stored).pooled
    let padded = try test.expected.tensor(named: "hidden")
    let counts = Tensor(test.lengths.map { Float($0) }).expandingAxis(1)
    expectClose(means, padded.sum(axis: 1) / counts, .logits)
    guard name != "distilbert" else { return }
    stored.configuration.pooling = .pooler
    let pooled = try encoded(test.texts, by: stored).pooled
    expectClose(pooled, try test.expected.tensor(named: "pooled"), .logits)
  }

  @Test("have the same gradients", arguments: names)
  func gradients(name: String) throws {
    let test = try Case(name)
    let encoder = try test.stored.encoder()
    let slope = try test.expected.tensor(named: "slope")
    let result = try valueAndGradients(
      of: { encoder(test.texts).sequence.rows.matmul(slope).sum() },
      for: encoder.parameters.map(\.parameter))
    for (weight, gradient) in zip(encoder.parameters, result.gradients) {
      let expected = try test.expected.tensor(named: "grad/" + weight.name)
      let scale = Double(expected.abs().reshaped([-1]).max(axis: 0).item(as: Float.self))
      expectClose(
        gradient, expected, Tolerance(relative: 1e-3, absolute: 1e-4 * scale + 2e-5), weight.name)
    }
  }

  @Test("open under the names that other checkpoints have for the same weights")
  func otherNames() throws {
    let test = try Case("bert")
    let folder = try TemporaryFolder()
    let file = try SafetensorsFile(test.stored.path.appending("model.safetensors"))
    var tensors: [String: Tensor] = [:]
    for entry in file.header.entries {
      let name =
        "bert."
        + entry.name.replacing("LayerNorm.weight", with: "LayerNorm.gamma")
        .replacing("LayerNorm.bias", with: "LayerNorm.beta")
      tensors[name] = try file.tensor(named: entry.name)
    }
    try SafetensorsFile.write(tensors, to: folder.file("model.safetensors"))
    _ = try folder.write(
      try readBytes(test.stored.path.appending("config.json")), to: "config.json")
    let other = try StoredEncoder(folder.path)
    let expected = try encoded(test.texts, by: test.stored).pooled
    expectClose(try encoded(test.texts, by: other).pooled, expected, .exact)
    #expect(try other.identity() != test.stored.identity())
  }
}

@Suite("Bag encoders")
struct BagEncoderTests {
  @Test("have a pooled view that ignores order, and a sequence that is the embeddings")
  func order() throws {
    let folder = try TemporaryFolder()
    let text = #"{"model_type": "bag", "vocab_size": 20, "hidden_size": 8}"#
    let path = try folder.write(Array(text.utf8), to: "config.json")
    let configuration = try EncoderConfiguration(ConfigurationObject(path))
    let encoder = try configuration.encoder(weights: RandomWeights(RandomSource(seed: 1)))
    let views = encoder([TokenizedText([3, 4, 5]), TokenizedText([5, 3, 4]), TokenizedText([3])])
    expectClose(views.pooled[0], views.pooled[1], .sums)
    expectClose(
      views.sequence.rows[0..<3], views.sequence.rows.selecting(Tensor([4, 5, 3])), .exact)
    #expect(views.pooled.shape == [3, 8] && views.sequence.lengths == [3, 3, 1])
  }
}

@Suite("Configurations of encoders")
struct EncoderConfigurationTests {
  /// A BERT with other values of some keys.
  private static func bert(_ changes: [String: Any]) -> [String: Any] {
    var values: [String: Any] = [
      "model_type": "bert", "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1,
      "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 16,
    ]
    for (key, value) in changes { values[key] = value }
    return values
  }

  private func message(_ values: [String: Any]) throws -> String {
    let folder = try TemporaryFolder()
    let bytes = try JSONSerialization.data(withJSONObject: values)
    let path = try folder.write(Array(bytes), to: "config.json")
    do {
      _ = try EncoderConfiguration(ConfigurationObject(path))
      return ""
    } catch {
      return "\(error)"
    }
  }

  @Test("that are impossible are rejected by the name of the key")
  func refused() throws {
    #expect(try message(Self.bert([:])).isEmpty)
    #expect(try message(["vocab_size": 20]).contains("model_type"))
    #expect(try message(["model_type": "t5"]).contains("t5"))
    #expect(try message(["model_type": "bag", "vocab_size": 0]).contains("vocab_size"))
    #expect(
      try message(Self.bert(["num_attention_heads": 3])).contains("num_attention_heads"))
    #expect(try message(Self.bert(["hidden_act": "selu"])).contains("hidden_act"))
    #expect(try message(Self.bert(["pooling": "max"])).contains("pooling"))
    let relative = try message(Self.bert(["position_embedding_type": "relative_key"]))
    #expect(relative.contains("position_embedding_type"))
    let pooled: [String: Any] = [
      "model_type": "distilbert", "vocab_size": 20, "dim": 8, "n_layers": 1, "n_heads": 2,
      "hidden_dim": 8, "max_position_embeddings": 16, "pooling": "pooler",
    ]
    #expect(try message(pooled).contains("pooling"))
  }
}
