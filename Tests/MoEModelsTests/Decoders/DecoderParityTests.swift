import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Fixtures: `Tests/Fixtures/make/decoders.py`.
@Suite("Decoders, compared with transformers")
struct DecoderParityTests {
  static let families = [
    "mixtral", "mixtral-window", "olmoe", "qwen2_moe", "qwen3_moe", "deepseek", "llama",
    "llama-biased",
  ]

  /// A model and what the reference computed with it.
  private struct Case {
    let model: MoEDecoder
    let expected: SafetensorsFile
    let tokens: Tensor

    init(_ family: String) throws {
      let folder = Fixtures.path("decoders").appending(family)
      model = try MoEDecoder.open(folder)
      expected = try SafetensorsFile(folder.appending("expected.safetensors"))
      tokens = try expected.tensor(named: "tokens")
    }

    func loss() -> Tensor {
      let logits = model(tokens).logits  // [batch, positions, vocabulary]
      let positions = tokens.size(1)
      return logits.slice(axis: 1, 0..<positions - 1).reshaped([-1, logits.size(2)])
        .crossEntropy(targets: tokens.slice(axis: 1, 1..<positions).reshaped([-1]))
    }
  }

  @Test("give the same logits at every position", arguments: families)
  func logits(family: String) throws {
    let test = try Case(family)
    expectClose(test.model(test.tokens).logits, try test.expected.tensor(named: "logits"), .logits)
  }

  @Test("give the same logits from a cache, token by token and in chunks", arguments: families)
  func cached(family: String) throws {
    let test = try Case(family)
    let whole = test.model(test.tokens).logits[0]
    let tokens = test.tokens[0].array(of: Int.self)
    for arithmetic in Arithmetic.allCases {
      for chunk in [1, 3, 7, 20] {
        let cache = test.model.makeCache()
        let parts = stride(from: 0, to: 20, by: chunk).map { start in
          let part = Array(tokens[start..<min(start + chunk, 20)])
          return test.model.read(
            [SequencePart(tokens: part, cache: cache)], as: arithmetic, scoring: .all
          ).logits
        }
        expectClose(
          Tensor.concatenated(parts, axis: 0), whole, .logits, "chunks of \(chunk)")
        #expect(cache.arithmetic == Array(repeating: arithmetic, count: 20))
      }
    }
  }

  @Test("have the same training loss and gradients", arguments: families)
  func gradients(family: String) throws {
    let test = try Case(family)
    let parameters = test.model.parameters
    let found = try valueAndGradients(of: test.loss, for: parameters.map(\.parameter))
    expectClose(found.value, try test.expected.tensor(named: "loss"), .logits)
    var checked = 0
    for (weight, gradient) in zip(parameters, found.gradients) {
      guard let expected = try expectedGradient(weight.name, in: test.expected) else {
        Issue.record("no gradient for \(weight.name)")
        continue
      }
      let scale = expected.abs().reshaped([-1]).max(axis: 0).item(as: Float.self)
      let tolerance = Tolerance(relative: 1e-3, absolute: 1e-4 * Double(scale) + 1e-7)
      expectClose(gradient, expected, tolerance, weight.name)
      checked += 1
    }
    #expect(checked == parameters.count)
  }

  /// The gradient under the name of the checkpoint; transformers keeps experts stacked while it runs.
  private func expectedGradient(_ name: String, in file: SafetensorsFile) throws -> Tensor? {
    let name = name.replacing("block_sparse_moe", with: "mlp")
    for spelling in [name, name.replacing("mlp", with: "block_sparse_moe")]
    where file.contains("grad/" + spelling) {
      return try file.tensor(named: "grad/" + spelling)
    }
    let parts = name.split(separator: ".").map(String.init)
    guard let place = parts.firstIndex(of: "experts"), let expert = Int(parts[place + 1]) else {
      return nil
    }
    let prefix = parts[...place].joined(separator: ".")
    let projection = parts[place + 2]
    if ["down_proj", "w2"].contains(projection) {
      return try file.tensor(named: "grad/\(prefix).down_proj")[expert]
    }
    let both = try file.tensor(named: "grad/\(prefix).gate_up_proj")[expert]
    return both.split(count: 2, axis: 0)[["gate_proj", "w1"].contains(projection) ? 0 : 1]
  }

  @Test(
    "have the same auxiliary loss",
    arguments: families.filter { $0 != "deepseek" && !$0.hasPrefix("llama") })
  func balance(family: String) throws {
    let test = try Case(family)
    let found = test.model.balanceLoss(test.model(test.tokens).sparse)
    expectClose(found, try test.expected.tensor(named: "balance"), .logits)
  }

  @Test("continue greedily with the same 64 tokens", arguments: families)
  func greedy(family: String) throws {
    let test = try Case(family)
    var generator = TextGenerator(
      test.model, prompt: test.tokens[0].array(of: Int.self),
      sampler: Sampler(try SamplingSettings(temperature: 0), seed: 0))
    var found: [Int] = []
    while found.count < 64, let token = try generator.next() { found.append(token) }
    #expect(try found == test.expected.tensor(named: "greedy").array(of: Int.self))
  }
}
