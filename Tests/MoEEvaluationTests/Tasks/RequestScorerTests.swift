import MoECore
@testable import MoEEvaluation
import MoEModels
import MoETensor
import MoETestSupport
import MoETokenizers
import SystemPackage
import Testing

@Suite("Requests")
struct RequestScorerTests {
  /// Requests over a vocabulary of 96 that share begins of several lengths, or are equal, or begin one another.
  private static func requests(_ count: Int, seed: UInt64) -> [EncodedRequest] {
    var generator = SeededGenerator(seed: seed)
    func tokens(_ range: ClosedRange<Int>) -> [Int] {
      (0..<Int.random(in: range, using: &generator)).map { _ in
        Int.random(in: 0..<96, using: &generator)
      }
    }
    let (shared, other) = (tokens(9...9), tokens(5...5))
    var requests: [EncodedRequest] = []
    while requests.count < count {
      let context =
        [shared, shared + other, shared + tokens(1...6), [3]].randomElement(using: &generator) ?? []
      let ending = [tokens(1...5), [7], [7, 8], [9]].randomElement(using: &generator) ?? []
      requests.append(
        EncodedRequest(tokens: context + ending, start: context.count, cut: 0))
    }
    return requests
  }

  /// The definition: a pass over each request alone, all positions scored.
  private static func plain(_ model: MoEDecoder, _ request: EncodedRequest) -> RequestScore {
    let inputs = Array(request.inputs)
    let logits = withoutGradients { model(Tensor(inputs, shape: [1, inputs.count])).logits[0] }
    let shares = logits.cast(to: .f32).logSoftmax(axis: 1)
    var score = RequestScore(logLikelihood: 0, isGreedy: true)
    for place in request.start..<request.tokens.count {
      let row = shares.at(place - 1)
      score.logLikelihood += row.at(request.tokens[place]).item(as: Float.self)
      if row.argmax(axis: 0).item(as: Int64.self) != Int64(request.tokens[place]) {
        score.isGreedy = false
      }
    }
    return score
  }

  @Test(
    "have the bits that each has alone, whatever they are scored with",
    arguments: ["olmoe", "qwen3_moe", "mixtral-window", "deepseek", "llama-biased"],
    [DType.f32, .bf16])
  func law(family: String, dtype: DType) throws {
    let model = try MoEDecoder.open(Fixtures.path("decoders").appending(family), dtype: dtype)
    let requests = Self.requests(40, seed: 5)
    let expected = requests.map { Self.plain(model, $0) }
    for rows in [1, 7, 64, 1_024] {
      let scorer = RequestScorer(model, rows: rows)
      scorer.begin(with: [])
      #expect(try scorer.scores(of: requests) == expected, "\(rows) rows")
      for part in [0..<1, 1..<9, 9..<40] {
        #expect(try scorer.scores(of: Array(requests[part])) == Array(expected[part]))
      }
    }
  }

  @Test(
    "of quantized models have the bits that each has alone, too",
    arguments: ["mlx-olmoe", "gptq-v2-2"],
    [true, false])
  func packed(name: String, unpacks: Bool) throws {
    let stored = try StoredModel(Fixtures.path("packed").appending(name))
    let form = WeightForm()
    let model = try stored.decoder(as: unpacks ? form.unpacked : form)
    let requests = Self.requests(20, seed: 6).map { request in
      var request = request
      request.tokens = request.tokens.map { $0 % stored.configuration.vocabularySize }
      return request
    }
    let scorer = RequestScorer(model)
    #expect(try scorer.scores(of: requests) == requests.map { Self.plain(model, $0) })
  }

  @Test("that begin alike read what they share once, with the same bits")
  func common() throws {
    let model = try MoEDecoder.open(Fixtures.path("decoders").appending("olmoe"))
    let context = Array(5..<45)
    let requests = [[61, 62], [61, 63], [64], [61, 62, 65]].map {
      EncodedRequest(tokens: context + $0, start: 40, cut: 0)
    }
    let expected = requests.map { Self.plain(model, $0) }
    for (rows, bytes) in [(1, 1 << 29), (9, 1 << 29), (1_024, 1 << 29), (1_024, 1)] {
      let scorer = RequestScorer(model, rows: rows, cacheLimit: bytes)
      // The last token of the context is read with the rest, because what follows it is asked.
      scorer.begin(with: context[..<39])
      #expect(scorer.work(of: requests) == 1 + 2 + 3)
      #expect(try scorer.scores(of: requests) == expected)
      // Two tokens are not worth a pass of their own.
      scorer.begin(with: context[..<2])
      #expect(try scorer.scores(of: requests) == expected)
    }
  }

  @Test("to models whose experts choose tokens are read one by one")
  func alone() throws {
    let configuration = try Self.choiceConfiguration()
    let model = try MoEDecoder(
      configuration, names: SwitchyardMoE.names, weights: RandomWeights(RandomSource(seed: 1)))
    let scorer = RequestScorer(model)
    #expect(!scorer.readsTogether)
    let requests = Self.requests(12, seed: 8)
    scorer.begin(with: requests[0].tokens[...])
    #expect(try scorer.scores(of: requests) == requests.map { Self.plain(model, $0) })
  }

  private static func choiceConfiguration() throws -> DecoderConfiguration {
    let folder = try TemporaryFolder()
    let json = """
      {"model_type": "switchyard_moe", "vocab_size": 96, "hidden_size": 32, "expert_size": 16,
       "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
       "max_position_embeddings": 64, "num_experts": 4, "rms_norm_eps": 1e-5, "rope_theta": 1e4,
       "hidden_act": "silu", "tie_word_embeddings": true,
       "router": {"type": "expert_choice", "capacity_factor": 2}}
      """
    let path = try folder.write(Array(json.utf8), to: "config.json")
    return try SwitchyardMoE.configuration(ConfigurationObject(path))
  }

  // MARK: Trees

  @Test("make trees that hold every token of every sequence, and few twice")
  func trees() {
    for seed in 0..<60 as Range<UInt64> {
      let requests = Self.requests(1 + Int(seed % 23), seed: seed)
      let sequences = requests.map(\.inputs)
      for (start, joins) in [(0, true), (0, false)] {
        let tree = PrefixTree(sequences, from: start, joining: joins)
        for (number, sequence) in sequences.enumerated() {
          let path = tree.path(of: number).reversed()
          var read: [Int] = []
          for node in path {
            let node = tree.nodes[node]
            #expect(node.range.lowerBound == read.count)
            read += sequences[node.sequence][node.range]
          }
          #expect(read == Array(sequence))
        }
        for (place, node) in tree.nodes.enumerated() {
          #expect(!node.range.isEmpty && node.parent ?? -1 < place)
          #expect(node.level == (node.parent.map { tree.nodes[$0].level + 1 } ?? 0))
        }
        let all = sequences.reduce(0) { $0 + $1.count }
        #expect(joins ? tree.tokens <= all : tree.tokens == all)
      }
    }
  }

  @Test("make trees that join what is equal, and what is worth it")
  func joined() {
    let four = PrefixTree([[1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 3], [1, 2, 3, 4]])
    #expect(four.tokens == 5 && four.nodes.count == 3)
    // Two tokens in common are not.
    let two = PrefixTree([[1, 2, 3, 4], [1, 2, 5]])
    #expect(two.tokens == 7 && two.nodes.count == 2)
    let begun = PrefixTree([[1, 2, 3, 4], [1, 2, 5]], from: 2)
    #expect(begun.tokens == 3)
  }
}
