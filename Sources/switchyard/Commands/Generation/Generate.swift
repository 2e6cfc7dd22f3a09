import MoECore
import MoETokenizers
import ArgumentParser
import Foundation
import MoEModels
import SystemPackage

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continue a text, or many together.",
    discussion: """
      The continuation of --prompt alone goes to standard output, as it is made; counts and speed go to \
      standard error. The same seed gives the same text on the same machine.

      --prompts continues many texts, --batch of them together, which takes little longer than one: each \
      weight is read once for all. A text depends neither on the others nor on --batch and --chunk. The \
      file has one prompt on a line; if its name ends in .jsonl, one object on a line with 'prompt', and \
      'id' and 'seed' if you like. The results are lines of JSON in the same order: id, prompt, text, \
      tokens, prompt_tokens, and end, which is end (the model ended it), stop, max_tokens or context. \
      When a run is interrupted, finished texts are kept, and --resume makes the others, which come after \
      them, with the options of this call.

      Examples:
        switchyard generate runs/tiny --prompt "Once upon a time" --max-tokens 100 --temperature 0.8
        switchyard generate runs/tiny --prompts prompts.txt --out texts.jsonl --stop "\\n"
      """)

  @OptionGroup var arguments: ModelArguments
  @OptionGroup var rounding: RoundingOption
  @Option(help: "The text to continue; - reads it from standard input, without its last line end.")
  var prompt: String?
  @Option(
    help:
      "File with prompts, one a line, or JSONL if its name ends in .jsonl; - reads lines from standard input.",
    completion: .file())
  var prompts: PathArgument?
  @Option(
    help: "File for the texts of --prompts (default: standard output).", completion: .file())
  var out: PathArgument?
  @OptionGroup var files: OverwriteOption
  @Flag(help: "Keep the texts that --out has, and make those that it lacks.") var resume = false
  @Option(help: "Texts of --prompts that are made together.") var batch = 8
  @Option(help: "Tokens of prompts that are read at a time, which bounds memory.") var chunk =
    TextBatch.usualChunk
  @Option(help: "Maximum number of tokens to generate.") var maxTokens = 256
  @Option(
    help:
      "End the text before this one; \\n, \\t and \\\\ stand for line end, tab and backslash. May be given several times."
  ) var stop: [String] = []
  @Option(help: "0 always takes the most likely token; 1 follows the model; more is more random.")
  var temperature = 1.0
  @Option(help: "Only this many of the most likely tokens (default: no limit).") var topK: Int?
  @Option(help: "Only the most likely tokens that together reach this probability.")
  var topP = 1.0
  @Option(help: "Only tokens with at least this fraction of the largest probability.") var minP =
    0.0
  @Option(help: "Above 1, tokens that have occurred become less likely.") var repetitionPenalty =
    1.0
  @Option(help: "Seed of the random numbers.") var seed: UInt64 = 0
  @Flag(help: "Print one JSON object instead of text.") var json = false
  @Flag(
    help: "Add the logarithm of each token's probability, before temperature and cuts, to the JSON."
  )
  var logProbabilities = false

  func settings() throws -> SamplingSettings {
    try SamplingSettings(
      temperature: temperature, topK: topK, topP: topP, minP: minP,
      repetitionPenalty: repetitionPenalty)
  }

  mutating func validate() throws {
    guard (prompt == nil) != (prompts == nil) else {
      throw ValidationError("give either --prompt or --prompts.")
    }
    guard prompt?.isEmpty != true else {
      throw ValidationError("--prompt is empty; it must have at least one token.")
    }
    guard prompts != nil || out == nil && !resume && !files.overwrite else {
      throw ValidationError("--out, --overwrite and --resume belong to --prompts.")
    }
    guard out != nil || !resume && !files.overwrite else {
      throw ValidationError("--overwrite and --resume need --out.")
    }
    guard !resume || !files.overwrite else {
      throw ValidationError("--resume keeps what --overwrite replaces; choose one.")
    }
    guard prompts == nil || !json else {
      throw ValidationError("--json belongs to --prompt; the texts of --prompts are JSON anyway.")
    }
    guard prompts != nil || json || !logProbabilities else {
      throw ValidationError("--log-probabilities needs --json or --prompts.")
    }
    for (name, value) in [("--max-tokens", maxTokens), ("--batch", batch), ("--chunk", chunk)]
    where value < 1 { throw ValidationError("\(name) must be at least 1.") }
    guard !stop.contains("") else { throw ValidationError("--stop is empty.") }
    stop = stop.map(Self.unescaped)
    do { _ = try settings() } catch { throw ValidationError("\(error).") }
  }

  /// Turns \\n, \\t and \\\\ into the characters that they stand for.
  private static func unescaped(_ text: String) -> String {
    var result = ""
    var rest = text[...]
    while let character = rest.popFirst() {
      let meant: [Character: Character] = ["n": "\n", "t": "\t", "\\": "\\"]
      if character == "\\", let next = rest.first, let other = meant[next] {
        result.append(other)
        rest.removeFirst()
      } else {
        result.append(character)
      }
    }
    return result
  }

  func run() throws {
    if let prompts { try continueMany(prompts.path) } else { try continueOne() }
  }

  // MARK: Many prompts

  private func continueMany(_ path: FilePath) throws {
    do {
      var rule = files
      // What is resumed is replaced by itself and more.
      rule.overwrite = files.overwrite || resume
      try rule.check(out?.path, inputs: [path])
    } catch let error as HintedError {
      throw HintedError(cause: error.cause, hint: "\(error.hint), --resume continues it")
    }
    let list = try PromptFile(path)
    guard !list.prompts.isEmpty else {
      throw TextError(path: path, problem: "has no prompts; write one on each line")
    }
    let (model, tokenizer) = try arguments.open(activations: rounding.precision)
    // Only now may a file be replaced.
    let records = try RecordFile(out?.path, resumes: resume)
    let missing = try list.prompts.filter { prompt in
      guard let record = records.earlier[prompt.id] else { return true }
      guard record.prompt == prompt.text else {
        throw TextError(
          path: out?.path ?? path,
          problem: "has a text with the id '\(prompt.id)' for another prompt; name another file")
      }
      return false
    }
    for line in list.emptyLines { Output.message("line \(line): there is no prompt") }
    let run = PromptRun(missing, model, tokenizer, self, records)
    Interruption.deferFirst()
    let start = ContinuousClock.now
    try run.run()
    report(run, missing.count, list.prompts.count - missing.count, ContinuousClock.now - start)
    Interruption.endAsRequested()
    let failures = run.failures + list.emptyLines.count
    if failures > 0 {
      throw TextError(
        path: path, problem: "has \(counted(failures, "line")) without a text, named above")
    }
  }

  private func report(_ run: PromptRun, _ prompts: Int, _ kept: Int, _ time: Duration) {
    let speed = NumberText.decimals(Double(run.made) / max(1e-9, time / .seconds(1)), 1)
    let earlier = kept > 0 ? ", kept \(counted(kept, "text"))" : ""
    Output.message(
      "read \(counted(run.read, "token")) of \(counted(prompts, "prompt")), made \(run.made) (\(speed) tokens/s)\(earlier)"
    )
  }

  // MARK: One prompt

  private func continueOne() throws {
    let text = try readPrompt()
    var (tokens, context) = ([Int](), 0)
    let (model, tokenizer) = try arguments.open(activations: rounding.precision) {
      (tokens, context) = ($1.encode(text), $0.configuration.contextLength)
      guard 1..<context ~= tokens.count else {
        throw TextError(
          path: "the prompt",
          problem:
            "has \(counted(tokens.count, "token")), but must have 1 to \(context - 1) for this model"
        )
      }
    }
    let batch = TextBatch(
      model, tokenCount: tokenizer.vocabularyCount, chunk: chunk,
      wantsLogProbabilities: logProbabilities)
    batch.add(
      TextRequest(
        prompt: tokens, sampler: Sampler(try settings(), seed: seed), limit: maxTokens,
        context: context))
    var made = GeneratedText(
      Prompt(id: "1", text: text, line: 1), promptTokens: tokens.count, tokenizer, stops: stop,
      keepsLogProbabilities: logProbabilities)
    let start = ContinuousClock.now
    var first: ContinuousClock.Instant?
    var end = TextEnd.maxTokens
    while batch.count > 0 {
      for (id, event) in batch.step() {
        switch event {
        case .token(let token, let logProbability):
          if first == nil { first = .now }
          let piece = try made.append(token, logProbability)
          show(piece.text)
          guard piece.stops else { continue }
          batch.remove(id)
          end = .stop
        case .end(let reason) where end != .stop: end = reason
        case .end: break
        case .failure(let error): throw error
        }
      }
    }
    show(made.finish(end))
    if json { try Output.json(made.record) } else { Output.line("") }
    try Output.flush()
    report(
      prompt: tokens.count, made: made.tokens.count, reading: (first ?? .now) - start,
      making: .now - (first ?? .now))
    if end == .context {
      Output.message(
        "stopped before --max-tokens: the model's context of \(context) tokens is full")
    }
  }

  /// Shows a piece of the text, unless a program reads the whole.
  private func show(_ piece: String) { if !json { Output.text(piece) } }

  private func readPrompt() throws -> String {
    guard let prompt, prompt == "-" else { return prompt ?? "" }
    let text = try readText(StandardInput.name)
    // What a shell or an editor adds at the end is not meant to be continued.
    return text.last?.isNewline ?? false ? String(text.dropLast()) : text
  }

  private func report(prompt: Int, made: Int, reading: Duration, making: Duration) {
    func rate(_ tokens: Int, _ time: Duration) -> String {
      let seconds = time / .seconds(1)
      return seconds > 0 ? "\(NumberText.decimals(Double(tokens) / seconds, 1)) tokens/s" : "–"
    }
    let text =
      "read \(counted(prompt, "token")) (\(rate(prompt, reading))), made \(made) (\(rate(max(0, made - 1), making)))"
    Output.message(text)
  }
}
