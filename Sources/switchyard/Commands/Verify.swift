import ArgumentParser
import MoECore
import MoEEvaluation
import MoEModels
import MoEReport
import MoETensor
import MoETokenizers
import SystemPackage

struct Verify: WritesFiles {
  static let configuration = CommandConfiguration(
    abstract: "Compare a model with its quantized form, or any two models with the same tokens.",
    discussion: """
      Three figures are kept apart, because they have different causes:

        kernel        the error of packed products beside products in f64 of the numbers that the codes stand for, on \
      inputs from the text: for one row and few rows, as text is generated, and for many rows, as prompts are read
        runtime       the divergence of the packed model from the same numbers in f32: token by token, with other \
      texts in company, and as a prompt
        quantization  the divergence of the second model from the first, both in f32, with the agreement of the most \
      likely tokens and of the experts, perplexities, and the first difference of greedy texts

      Divergences are Kullback-Leibler, in nats per position. The exit code is 1 if a figure is above its limit, or \
      not a number. Without OTHER, --quantize says how MODEL is quantized for the comparison.

      Examples:
        switchyard verify Data/bible-moe bible-4bit --text Data/bible/law.txt
        switchyard verify MODEL --quantize experts=3 --text book.txt --max-divergence 0.05
        switchyard verify MODEL COPY --text book.txt --bits
      """)

  @OptionGroup var arguments: ModelArguments
  @OptionGroup var rounding: RoundingOption
  @Argument(
    help: "The model that is judged: another folder, run or GGUF file.", completion: .file())
  var other: PathArgument?
  @Option(help: "File with the text, UTF-8.", completion: .file()) var text: PathArgument
  @Option(help: "Tokens of the text that are compared.") var tokens = 2_048
  @Option(help: "Tokens that are read together (default: 256, or what the models read at most).")
  var context: Int?
  @Option(
    help: "Tokens that are read one by one for the runtime's figure (default: 64, or the context).")
  var decode: Int?
  @Option(
    help:
      "Tokens that both generate greedily after the first 32 of the text (default: 64, or what the context leaves)."
  )
  var generate: Int?
  @Flag(help: "Demand that all scores are equal bit by bit, as the models run.") var bits = false
  @Option(help: "replay makes the second model use the experts that the first chose.")
  var routing = RoutingName.own
  @Option(
    help:
      "Largest relative error of products of one and few rows that passes (default: 1e-4; 0.03 where numbers have 8 bits)."
  )
  var maxKernelError: Double?
  @Option(help: "Largest relative error of products of many rows that passes.")
  var maxPromptError = VerificationLimits().promptError
  @Option(
    help:
      "Largest mean divergence of the runtime that passes, as text is generated (default: 1e-5; 0.01 where numbers have 8 bits, or --dtype fewer than 32)."
  )
  var maxRuntimeDivergence: Double?
  @Option(help: "Largest mean divergence of the runtime that passes, as prompts are read.")
  var maxPromptDivergence = VerificationLimits().promptDivergence
  @Option(help: "Largest mean divergence of the second model that passes.")
  var maxDivergence = VerificationLimits().divergence
  @Option(help: "Write an HTML page.", completion: .file()) var html: PathArgument?
  @OptionGroup var files: OverwriteOption
  @Flag(help: "Print one JSON object instead of text.") var json = false

  enum RoutingName: String, CaseIterable, ExpressibleByArgument {
    case own, replay
  }

  func validate() throws {
    guard other != nil || arguments.quantization.quantize != nil else {
      throw ValidationError("name another model, or give --quantize.")
    }
    for (name, value, least) in [
      ("--tokens", tokens, 8), ("--context", context ?? 2, 2), ("--decode", decode ?? 1, 1),
      ("--generate", generate ?? 0, 0),
    ] where value < least { throw ValidationError("\(name) must be at least \(least).") }
    for (name, limit) in [
      ("--max-kernel-error", maxKernelError ?? 0), ("--max-prompt-error", maxPromptError),
      ("--max-runtime-divergence", maxRuntimeDivergence ?? 0),
      ("--max-prompt-divergence", maxPromptDivergence), ("--max-divergence", maxDivergence),
    ] where !(limit >= 0 && limit.isFinite) {
      throw ValidationError("\(name) is \(limit); it must be a number of at least 0.")
    }
  }

  /// What `--json` prints.
  private struct Answer: Encodable {
    /// Absent if a figure is not a number, which JSON cannot hold; then a judgement says so.
    var report: VerificationReport?
    var judgements: [VerificationLimits.Judgement]
    var passes: Bool
  }

  func run() throws {
    try files.check(
      html?.path, inputs: [arguments.model.path, text.path] + (other.map { [$0.path] } ?? []))
    let content = try readText(text.path)
    arguments.engine.apply()
    for path in [arguments.model.path] + (other.map { [$0.path] } ?? []) {
      Output.warn(ofFilesAt: path)
    }
    let first = try StoredModel(arguments.model.path)
    let second = try other.map { try StoredModel($0.path) } ?? first
    let ids = try first.checkedTokenizer().encode(content)
    if other != nil, try second.checkedTokenizer().encode(content) != ids {
      throw ModelVerification.Failure.otherTokenizer
    }
    let progress = ProgressLine()
    defer { progress.end() }
    let form = try arguments.form(of: second, activations: rounding.precision, progress)
    let report = try verification(first, second, form, ids).run(progress: progress.show)
    progress.end()
    let isCoarse = form.dtype.map { $0.byteSize < 4 } ?? false
    let judgements = limits.judgements(of: report, isCoarse: isCoarse)
    if let html {
      try VerificationPage(
        report, judgements, first: name(first.path),
        second: other == nil ? "quantized" : name(second.path),
        text: text.path.lastComponent?.string ?? text.path.string
      ).page.write(to: html.path)
    }
    let failures = judgements.filter { !$0.passes }
    if json {
      let isNumber = (try? JSONText.pretty(report)) != nil
      try Output.json(
        Answer(
          report: isNumber ? report : nil, judgements: judgements, passes: failures.isEmpty))
    } else {
      show(report, judgements)
    }
    if !failures.isEmpty {
      throw VerificationFailed(description: failures.map(\.problem).joined(separator: "; "))
    }
  }

  private func verification(
    _ first: StoredModel, _ second: StoredModel, _ form: WeightForm, _ ids: [Int]
  ) -> ModelVerification {
    var verification = ModelVerification(
      first, second, as: form, tokens: Array(ids.prefix(tokens)))
    verification.context = context ?? verification.context
    verification.decodedTokens = decode ?? min(verification.decodedTokens, verification.context)
    verification.generatedTokens = generate ?? verification.generatedTokens
    verification.comparesBits = bits
    verification.replaysRouting = routing == .replay
    return verification
  }

  private func name(_ path: FilePath) -> String { path.lastComponent?.string ?? path.string }

  private var limits: VerificationLimits {
    var limits = VerificationLimits()
    if let maxKernelError {
      (limits.kernelError, limits.coarseKernelError) = (maxKernelError, maxKernelError)
    }
    if let maxRuntimeDivergence {
      limits.runtimeDivergence = maxRuntimeDivergence
      limits.coarseRuntimeDivergence = maxRuntimeDivergence
    }
    limits.promptError = maxPromptError
    limits.promptDivergence = maxPromptDivergence
    limits.divergence = maxDivergence
    return limits
  }

  private func show(
    _ report: VerificationReport, _ judgements: [VerificationLimits.Judgement]
  ) {
    for line in VerificationText(report, judgements).lines { Output.line(line) }
    if let html { Output.line("figures in \(html.path)") }
  }
}

/// A figure is above its limit.
struct VerificationFailed: Error, CustomStringConvertible {
  var description: String
}
