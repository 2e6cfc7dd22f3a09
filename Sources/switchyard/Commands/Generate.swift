import MoECore
import MoETokenizers
import ArgumentParser
import Foundation
import MoEModels
import SystemPackage

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continue a text.",
    discussion: """
      The continuation alone goes to standard output, as it is made; counts and speed go to standard \
      error. The same seed gives the same text on the same machine and thread count.

      Example:
        switchyard generate runs/tiny --prompt "Once upon a time" --max-tokens 100 --temperature 0.8
      """)

  @OptionGroup var arguments: ModelArguments
  @Option(help: "The text to continue; - reads it from standard input, without its last line end.")
  var prompt: String
  @Option(help: "Maximum number of tokens to generate.") var maxTokens = 256
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

  private func settings() throws -> SamplingSettings {
    try SamplingSettings(
      temperature: temperature, topK: topK, topP: topP, minP: minP,
      repetitionPenalty: repetitionPenalty)
  }

  func validate() throws {
    guard !prompt.isEmpty else {
      throw ValidationError("--prompt is empty; it must have at least one token.")
    }
    guard maxTokens >= 1 else { throw ValidationError("--max-tokens must be at least 1.") }
    do { _ = try settings() } catch { throw ValidationError("\(error).") }
  }

  func run() throws {
    let (model, tokenizer) = try arguments.open()
    let tokens = tokenizer.encode(try readPrompt())
    let room = model.configuration.contextLength - tokens.count
    guard !tokens.isEmpty, room > 0 else {
      let limit = model.configuration.contextLength - 1
      throw TextError(
        path: "the prompt",
        problem: "has \(counted(tokens.count, "token")), but must have 1 to \(limit) for this model"
      )
    }
    let clock = ContinuousClock()
    let start = clock.now
    var generator = TextGenerator(
      model, prompt: tokens, sampler: Sampler(try settings(), seed: seed),
      tokenCount: tokenizer.vocabularyCount)
    var stream = tokenizer.streamingDecoder()
    var (count, first, isFull) = (0, start, false)
    while count < maxTokens {
      isFull = count == room
      guard !isFull, let token = try generator.next() else { break }
      if count == 0 { first = clock.now }
      count += 1
      Output.text(try stream.append(token))
    }
    Output.line(stream.finish())
    try Output.flush()
    report(prompt: tokens.count, made: count, reading: first - start, making: clock.now - first)
    if isFull {
      Output.message(
        "stopped before --max-tokens: the model's context of \(model.configuration.contextLength) tokens is full"
      )
    }
  }

  private func readPrompt() throws -> String {
    guard prompt == "-" else { return prompt }
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
