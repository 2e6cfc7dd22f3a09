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

        kernel        the error of packed products beside f32 products of the numbers that the codes stand for, on \
      inputs from the text: for one row and few rows, as text is generated, and for many rows, as prompts are read
        runtime       the divergence of the packed model from the same numbers in f32, token by token
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
  @Argument(
    help: "The model that is judged: another folder, run or GGUF file.", completion: .file())
  var other: PathArgument?
  @Option(help: "File with the text, UTF-8.", completion: .file()) var text: PathArgument
  @Option(help: "Tokens of the text that are compared.") var tokens = 2_048
  @Option(help: "Tokens that are read together.") var context = 256
  @Option(help: "Tokens that are read one by one for the runtime's figure.") var decode = 64
  @Option(help: "Tokens that both generate greedily.") var generate = 64
  @Flag(help: "Demand that all scores are equal bit by bit, as the models run.") var bits = false
  @Option(help: "replay makes the second model use the experts that the first chose.")
  var routing = RoutingName.own
  @Option(
    help:
      "Largest relative error of products of one and few rows that passes (default: 1e-4; 0.03 where numbers have 8 bits)."
  )
  var maxKernelError: Double?
  @Option(help: "Largest relative error of products of many rows that passes.") var maxPromptError =
    0.02
  @Option(
    help:
      "Largest mean divergence of the runtime that passes (default: 1e-5; 0.01 where numbers have 8 bits)."
  )
  var maxRuntimeDivergence: Double?
  @Option(help: "Largest mean divergence of the second model that passes.") var maxDivergence = 0.1
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
      ("--tokens", tokens, 8), ("--context", context, 2), ("--decode", decode, 1),
      ("--generate", generate, 0),
    ] where value < least { throw ValidationError("\(name) must be at least \(least).") }
  }

  /// What `--json` prints.
  private struct Answer: Encodable {
    /// Absent if a figure is not a number, which JSON cannot hold; then it is among the failures.
    var report: VerificationReport?
    var failures: [String]
  }

  func run() throws {
    try files.check(
      html?.path, inputs: [arguments.model.path, text.path] + (other.map { [$0.path] } ?? []))
    let content = try readText(text.path)
    arguments.engine.apply()
    let first = try StoredModel(arguments.model.path)
    let second = try other.map { try StoredModel($0.path) } ?? first
    let progress = ProgressLine()
    defer { progress.end() }
    let ids = try first.checkedTokenizer().encode(content)
    var verification = ModelVerification(
      first, second, as: try arguments.form(of: second, progress), tokens: Array(ids.prefix(tokens))
    )
    verification.context = min(
      context, first.configuration.contextLength, second.configuration.contextLength)
    verification.decodedTokens = min(decode, verification.context)
    verification.generatedTokens = generate
    verification.comparesBits = bits
    verification.replaysRouting = routing == .replay
    let report = try verification.run(progress: progress.show)
    progress.end()
    let failures = limits(report).failures(of: report)
    if let html {
      try VerificationPage(
        report, first: name(first.path), second: other == nil ? "quantized" : name(second.path)
      ).page.write(to: html.path)
    }
    if json {
      let isNumber = (try? JSONText.pretty(report)) != nil
      try Output.json(Answer(report: isNumber ? report : nil, failures: failures))
    } else {
      show(report)
    }
    if !failures.isEmpty {
      throw VerificationFailed(description: failures.joined(separator: "; "))
    }
  }

  private func name(_ path: FilePath) -> String { path.lastComponent?.string ?? path.string }

  private func limits(_ report: VerificationReport) -> VerificationLimits {
    let isCoarse = report.kernel.contains { $0.roundedBits == 8 }
    return VerificationLimits(
      kernelError: maxKernelError ?? 1e-4, coarseKernelError: maxKernelError ?? 0.03,
      promptError: maxPromptError,
      runtimeDivergence: maxRuntimeDivergence ?? (isCoarse ? 0.01 : 1e-5), divergence: maxDivergence
    )
  }

  private func show(_ report: VerificationReport) {
    if !report.kernel.isEmpty {
      Output.line(
        TextTable(
          header: ["kernel", "modules", "one row", "few rows", "many rows"],
          rows: report.kernel.map {
            [
              $0.format, "\($0.modules)", NumberText.short($0.one), NumberText.short($0.few),
              NumberText.short($0.many),
            ]
          }
        ).text)
    }
    if let runtime = report.runtime {
      Output.line("runtime        \(line(runtime))")
    }
    let fidelity = report.quantization
    Output.line("quantization   \(line(fidelity.divergence))")
    Output.line("top-1 agreement  \(NumberText.percent(fidelity.top1Agreement))")
    if let least = fidelity.routerOverlap.min() {
      let mean = fidelity.routerOverlap.reduce(0, +) / Double(fidelity.routerOverlap.count)
      Output.line(
        "same experts     \(NumberText.percent(mean)), \(NumberText.percent(least)) in the worst layer"
      )
    }
    Output.line(
      "perplexity       \(NumberText.fixed(fidelity.firstPerplexity, 4)), then \(NumberText.fixed(fidelity.secondPerplexity, 4)): \(NumberText.fixed(fidelity.perplexityRatio, 4)) times"
    )
    if fidelity.replaysRouting { Output.line("routing          the experts of the first model") }
    if fidelity.greedyLimit > 0 {
      Output.line(
        "greedy text      \(fidelity.greedyTokens) of \(fidelity.greedyLimit) tokens are equal")
    }
    if let same = report.sameBits {
      Output.line("bits             \(same ? "equal" : "not equal")")
    }
    if let html { Output.line("figures in \(html.path)") }
  }

  private func line(_ divergence: VerificationReport.Divergence) -> String {
    "divergence \(NumberText.short(divergence.mean)), 99 % \(NumberText.short(divergence.percentile99)), 99.9 % \(NumberText.short(divergence.percentile999)), of \(divergence.positions)"
  }
}

/// A figure is above its limit.
struct VerificationFailed: Error, CustomStringConvertible {
  var description: String
}
