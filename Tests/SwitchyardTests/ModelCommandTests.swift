import MoETokenizers
import Foundation
import MoECore
import MoEEvaluation
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// A small model folder with a tokenizer, made of random numbers.
struct SmallModel {
  static let text = String(
    repeating: "The gate looks at the token and the token looks at the gate. Größe 🦊!\n", count: 20)

  let folder: TemporaryFolder
  let model: MoEDecoder
  let tokenizer: Tokenizer

  init() throws {
    folder = try TemporaryFolder()
    let config = """
      {"model_type": "switchyard_moe", "vocab_size": 300, "hidden_size": 16, "num_hidden_layers": 2,
       "num_attention_heads": 2, "max_position_embeddings": 64, "rms_norm_eps": 1e-5,
       "rope_theta": 10000, "hidden_act": "silu", "num_experts": 4, "expert_size": 24,
       "router": {"type": "token_choice", "k": 2, "renormalize": true}}
      """
    try AtomicFile.write(config, to: folder.file("config.json"))
    let configuration = try SwitchyardMoE.configuration(
      ConfigurationObject(folder.file("config.json")))
    let random = try MoEDecoder(
      configuration, names: SwitchyardMoE.names, weights: RandomWeights(RandomSource(seed: 1)))
    // Larger weights than a new model's, so that the scores of tokens differ clearly.
    let tensors = random.parameters.map {
      ($0.name, $0.parameter.value * ($0.name.contains("norm") ? 1 : 20))
    }
    try SafetensorsFile.write(
      Dictionary(uniqueKeysWithValues: tensors), to: folder.file("model.safetensors"))
    try BPETrainer(vocabularySize: 300).train(on: Self.text).write(
      to: folder.file("tokenizer.json"))
    model = try MoEDecoder.open(folder.path)
    tokenizer = try Tokenizer(folder.path)
  }
}

@Suite("The model commands")
struct ModelCommandTests {
  private let small: SmallModel
  private var path: String { small.folder.path.string }

  init() throws { small = try SmallModel() }

  @Test("generate prints only the continuation, the same for the same seed")
  func generate() throws {
    func run(_ more: String...) throws -> Program.Run {
      try Program.run(
        ["generate", path, "--prompt", "The gate", "--max-tokens", "24", "--threads", "1"] + more)
    }
    let greedy = try run("--temperature", "0")
    var generator = TextGenerator(
      small.model, prompt: small.tokenizer.encode("The gate"),
      sampler: Sampler(try SamplingSettings(temperature: 0), seed: 0),
      tokenCount: small.tokenizer.vocabularyCount)
    let tokens = try (0..<24).compactMap { _ in try generator.next() }
    #expect(greedy.exitCode == 0 && tokens.count == 24)
    #expect(greedy.output == (try small.tokenizer.decode(tokens)) + "\n")
    #expect(greedy.errors.contains("made 24") && greedy.errors.contains("tokens/s"))
    let (one, same, other) = (
      try run("--seed", "7"), try run("--seed", "7"), try run("--seed", "8")
    )
    #expect(one.output == same.output && one.output != other.output)
    #expect(!greedy.errors.contains("context"))
  }

  @Test("generate says when the context is full, and only then")
  func fullContext() throws {
    let prompt = small.tokenizer.encode("The gate").count
    func run(_ most: Int) throws -> Program.Run {
      try Program.run(
        "generate", path, "--prompt", "The gate", "--max-tokens", "\(most)", "--temperature", "0")
    }
    let full = try run(100)
    #expect(full.exitCode == 0 && full.errors.contains("made \(64 - prompt) "))
    #expect(full.errors.contains("context of 64 tokens is full"), "\(full.errors)")
    let exact = try run(64 - prompt)
    #expect(exact.output == full.output && !exact.errors.contains("is full"), "\(exact.errors)")
  }

  @Test("perplexity prints what the library measures")
  func perplexity() throws {
    let file = try small.folder.write(Array(SmallModel.text.utf8), to: "text.txt")
    let run = try Program.run(
      "perplexity", path, "--text", file.string, "--context", "32", "--stride", "16", "--json")
    let found = try JSONDecoder().decode(Perplexity.self, from: Data(run.output.utf8))
    let expected = try Perplexity.measure(
      small.model,
      PerplexityText(
        tokens: small.tokenizer.encode(SmallModel.text),
        byteCounts: small.tokenizer.byteCounts(of: small.tokenizer.encode(SmallModel.text)),
        bytes: SmallModel.text.utf8.count), Perplexity.Settings(context: 32, stride: 16))
    #expect(abs(found.perplexity / expected.perplexity - 1) < 1e-4)
    #expect(found.scoredTokens == expected.scoredTokens)
    let plain = try Program.run("perplexity", path, "--text", file.string)
    #expect(plain.exitCode == 0 && plain.output.contains("bits per byte"))
    #expect(plain.output.contains("context        64 tokens, a window every 64"))
    // Four decimals, not all that a number has.
    let first = plain.output.prefix { $0 != "\n" }
    #expect(first.split(separator: ".").last?.count == 4, "\(plain.output)")
    // Windows are independent of each other, so every digit stays.
    for batch in ["1", "3", "50"] {
      let other = try Program.run(
        "perplexity", path, "--text", file.string, "--context", "32", "--stride", "16", "--json",
        "--batch", batch)
      #expect(other.output == run.output, "\(batch)")
    }
    let piped = try Program.run(["perplexity", path, "--text", "-"], input: SmallModel.text)
    #expect(piped.output == plain.output, "\(piped.errors)")
  }

  @Test("refuse scores that are not finite, with layer and token, and write nothing")
  func notFinite() throws {
    let weight = "model.layers.1.self_attn.v_proj.weight"
    let tensors = small.model.parameters.map { named in
      (named.name, named.parameter.value * (named.name == weight ? Double.nan : 1))
    }
    try SafetensorsFile.write(
      Dictionary(uniqueKeysWithValues: tensors), to: small.folder.file("model.safetensors"))
    let text = try small.folder.write(Array(SmallModel.text.utf8), to: "text.txt").string
    let out = small.folder.file("trace.safetensors")
    for arguments in [
      ["generate", path, "--prompt", "The gate", "--temperature", "0"],
      ["perplexity", path, "--text", text], ["perplexity", path, "--text", text, "--json"],
      ["trace", path, "--text", text, "--out", out.string],
      ["trace", path, "--text", text, "--generate", "2", "--out", out.string],
      ["inspect", path, "--text", text],
    ] {
      let run = try Program.run(arguments)
      #expect(run.exitCode == 1 && run.output.isEmpty, "\(arguments) \(run.output)")
      #expect(run.errors.contains("the model's scores are not finite: layer 1 is the first part"))
      #expect(run.errors.contains("for token 0") && run.errors.contains("'\(weight)'"))
    }
    #expect(out.isMissing)
  }

  @Test("warn of an index that is not read")
  func ignoredIndex() throws {
    _ = try small.folder.write(Array("{}".utf8), to: "model.safetensors.index.json")
    for arguments in [
      ["generate", path, "--prompt", "The gate", "--max-tokens", "1"],
      ["checkpoint", "list", path],
    ] {
      let run = try Program.run(arguments)
      #expect(run.exitCode == 0 && !run.output.isEmpty)
      #expect(run.errors.contains("model.safetensors.index.json is not read"), "\(run.errors)")
    }
    let info = try Program.run("info", path)
    #expect(info.exitCode == 0 && info.output.contains("is not read") && info.errors.isEmpty)
  }

  @Test("info describes the model")
  func info() throws {
    let run = try Program.run("info", path)
    #expect(run.exitCode == 0)
    for line in [
      "family       switchyard_moe", "4 per sparse layer, 2 per token", "vocabulary   300",
    ] {
      #expect(run.output.contains(line), "\(run.output)")
    }
    #expect(!run.output.contains("warning"))
    let json = try Program.run("info", path, "--json")
    let summary = try JSONDecoder().decode(ModelSummary.self, from: Data(json.output.utf8))
    #expect(
      summary.parameters == small.model.parameters.reduce(0) { $0 + $1.parameter.value.count })
    // Two of four experts are idle in each of two layers.
    #expect(summary.parameters - summary.activeParameters == 2 * 2 * 3 * 16 * 24)
  }

  @Test("tokenizer train, encode and decode belong together")
  func tokenizer() throws {
    let file = try small.folder.write(Array(SmallModel.text.utf8), to: "text.txt")
    let out = small.folder.file("new.json")
    let train = try Program.run(
      "tokenizer", "train", file.string, "--size", "280", "--out", out.string, "--special", "<end>")
    #expect(train.exitCode == 0 && train.errors.isEmpty)
    let sentence = "The token 🦊 ist groß.<end>"
    let encoded = try Program.run("tokenizer", "encode", out.string, sentence).output
    let ids = encoded.split(whereSeparator: \.isWhitespace).map(String.init)
    let decoded = try Program.run(["tokenizer", "decode", out.string, "--special"] + ids)
    #expect(decoded.output == sentence + "\n")
    let again = try Program.run(
      "tokenizer", "train", file.string, "--size", "280", "--out", out.string)
    #expect(again.exitCode == 1 && again.errors.contains("already exists"))
  }

  @Test("answer bad input with one message and the right exit code")
  func badInput() throws {
    let empty = try small.folder.write([], to: "empty.txt").string
    let binary = try small.folder.write([0xFF, 0xFE, 0x41], to: "binary.txt").string
    let short = try small.folder.write(Array("e".utf8), to: "short.txt").string
    let text = try small.folder.write(Array(SmallModel.text.utf8), to: "text.txt").string
    for (arguments, code, expected) in [
      (["generate", "/no/such/model", "--prompt", "x"], 1, "does not exist"),
      (["generate", path, "--prompt", ""], 64, "is empty"),
      (["generate", path, "--prompt", SmallModel.text], 1, "must have 1 to 63"),
      (["generate", path, "--prompt", "x", "--temperature", "-1"], 64, "temperature"),
      (["generate", path, "--prompt", "x", "--top-p", "2"], 64, "top-p"),
      (["generate", path, "--prompt", "x", "--max-tokens", "0"], 64, "--max-tokens"),
      (["generate", path, "--prompt", "x", "--threads", "0"], 64, "--threads"),
      (["generate", path], 64, "--prompt"),
      (["perplexity", path, "--text", empty], 1, "is empty"),
      (["perplexity", path, "--text", binary], 1, "UTF-8"),
      (["perplexity", path, "--text", short], 1, "at least 2"),
      (["perplexity", path, "--text", text, "--context", "65"], 1, "2…64"),
      (["perplexity", path, "--text", text, "--stride", "0"], 64, "--stride"),
      (["perplexity", path, "--text", "/none"], 1, "does not exist"),
      (["info", "/none"], 1, "does not exist"),
      (["tokenizer", "train", text, "--size", "10", "--out", "/tmp/none/x"], 64, "256"),
      (["tokenizer", "decode", path, "100000"], 1, "100000"),
      (["tokenizer", "encode", "/none", "x"], 1, "does not exist"),
    ] as [([String], Int32, String)] {
      let run = try Program.run(arguments)
      #expect(run.exitCode == code && run.output.isEmpty, "\(arguments): \(run.exitCode)")
      #expect(run.errors.hasPrefix("Error: ") && run.errors.contains(expected), "\(run.errors)")
      #expect(code == 64 || run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    }
  }

  @Test("tokenizer encode and decode may be joined, for one text and for lines")
  func pipes() throws {
    func run(_ arguments: [String], _ input: String) throws -> Program.Run {
      try Program.run(["tokenizer"] + arguments, input: input)
    }
    let text = "The gate looks\n\nat the 🦊.\n"
    for more in [[], ["-"]] {
      let ids = try run(["encode", path] + more, text)
      let expected = small.tokenizer.encode(text).map(String.init).joined(separator: " ")
      #expect(ids.output == expected + "\n", "\(ids.errors)")
      #expect(try run(["decode", path] + more, ids.output).output == text + "\n")
    }
    let lines = try run(["encode", path, "--lines"], "The gate\r\n\nlooks 🦊")
    let expected = ["The gate", "", "looks 🦊"].map {
      small.tokenizer.encode($0).map(String.init).joined(separator: " ")
    }
    #expect(lines.output == expected.joined(separator: "\n") + "\n", "\(lines.errors)")
    #expect(
      try run(["decode", path, "--lines"], lines.output).output == "The gate\n\nlooks 🦊\n")
    let wrong = try run(["decode", path], "1 2\n3 x\n")
    #expect(wrong.exitCode == 1 && wrong.errors.contains("line 2 'x'"), "\(wrong.errors)")
    for arguments in [["encode", path, "a", "--lines"], ["decode", path, "1", "--lines"]] {
      #expect(try run(arguments, "").errors.contains("--lines reads standard input"))
    }
    #expect(try run(["decode", path, "x"], "").exitCode == 64)
  }

  @Test("detect a tokenizer that belongs to another model")
  func mismatch() throws {
    let larger = try BPETrainer(
      vocabularySize: 320, specialTokens: (0..<50).map { "<\($0)>" }
    ).train(on: SmallModel.text)
    try larger.write(to: small.folder.file("tokenizer.json"))
    let run = try Program.run("generate", path, "--prompt", "x")
    #expect(run.exitCode == 1 && run.errors.contains("the tokenizer knows"))
    #expect(try Program.run("info", path).output.contains("warning"))
  }
}
