import ArgumentParser
import Foundation
import MoECore
import MoEData
import MoEEvaluation
import MoEModels
import MoEReport
import MoETokenizers
import SystemPackage

struct Evaluate: WritesFiles {
  static let configuration = CommandConfiguration(
    abstract: "Ask models the questions of published tasks, offline, and compare them.",
    discussion: """
      Wording, scores and standard errors are those of lm-evaluation-harness 0.4.13. Each choice is scored by the sum of \
      the log-probabilities of its tokens:

        acc       the fraction of questions whose right choice has the largest sum
        acc_norm  the same, with sums over the number of characters of the choice

      With several models, each is compared with the first, question by question: the difference, the interval in which \
      95 % of resampled differences lie, and how often chance alone gives one as large.

      --out keeps every answer, with the harness's fields, in OUT/MODEL/samples_TASK.jsonl, from where --resume goes on.

      Examples:
        switchyard evaluate Data/bible-moe --tasks-file Data/questions/verses.jsonl
        switchyard evaluate MODEL --tasks piqa,hellaswag --data zeroshot --limit 200
        switchyard evaluate MODEL MODEL-3bit --tasks piqa,mmlu --data zeroshot --out evaluation --resume
      """)

  @Argument(
    help:
      "Folders of models (config.json, safetensors and tokenizer.json) or of their training runs, or GGUF files.",
    completion: .file()) var models: [PathArgument]
  @OptionGroup var questions: TaskOptions
  @Option(
    help: "A text whose perplexity is measured, too; may be given several times.",
    completion: .file()) var text: [PathArgument] = []
  @Option(
    name: .customLong("protocol"),
    help:
      "How texts are cut into windows, and which tokens are scored; see 'switchyard help perplexity'."
  )
  var style = PerplexityProtocol.strided
  @OptionGroup var weights: WeightOptions
  @OptionGroup var products: ProductsOption
  @Option(help: "Folder that keeps every answer, one folder per model.", completion: .directory)
  var out: PathArgument?
  @Flag(help: "Go on where an earlier run with the same --out ended.") var resume = false
  @Option(help: "Write an HTML page.", completion: .file()) var html: PathArgument?
  @OptionGroup var files: OverwriteOption
  @Flag(help: "Print one JSON object instead of text.") var json = false

  func validate() throws {
    guard !questions.choices.isEmpty || !text.isEmpty else {
      throw ValidationError("name --tasks with --data, a --tasks-file, or a --text.")
    }
    guard !resume || out != nil else { throw ValidationError("--resume needs --out.") }
  }

  func run() throws {
    try files.check(html?.path, inputs: (models + questions.tasksFile + text).map(\.path))
    weights.engine.apply()
    let plan = try questions.plan()
    let texts = try text.map { (name: $0.path.textName, content: try readText($0.path)) }
    let names = Self.names(models.map(\.path))
    let progress = ProgressLine(showsTimeLeft: true)
    defer { progress.end() }
    // Everything is checked before the first model is asked.
    let prepared = try zip(models.map(\.path), names).map { path, name in
      try prepare(path, name, plan, texts, progress)
    }
    let found = try prepared.map { try $0.answer(progress) }
    let report = EvaluationReport(found, plan)
    if let out {
      try AtomicFile.write(
        try JSONText.pretty(report), to: out.path.appending("results.json"))
    }
    if let html { try EvaluationPage(report).page.write(to: html.path) }
    if json { return try Output.json(report) }
    for line in EvaluationText(report).lines { Output.line(line) }
    if let html { Output.line("figures in \(html.path)") }
    if let out { Output.line("answers in \(out.path)") }
  }

  /// A model that can be asked the questions.
  private struct Prepared {
    var name: String
    var stored: StoredModel
    var tokenizer: Tokenizer
    var run: TaskRun
    var texts: [(name: String, text: PerplexityText, settings: Perplexity.Settings)]
    var form: WeightForm
    var records: TaskRecords?

    func answer(_ progress: ProgressLine) throws -> EvaluationReport.Model {
      let decoder = try stored.decoder(as: form)
      progress.end()
      let results = try run.results(of: decoder, records: records, progress: progress.show)
      let scores = try texts.map { name, text, settings in
        EvaluationReport.TextScore(
          text: name,
          perplexity: try Perplexity.measure(decoder, text, settings, progress: progress.show))
      }
      progress.end()
      return EvaluationReport.Model(
        name: name, path: stored.path.string,
        beginning: run.beginning.map { tokenizer.token($0) ?? "\($0)" }, results: results,
        texts: scores)
    }
  }

  private func prepare(
    _ path: FilePath, _ name: String, _ plan: EvaluationPlan,
    _ texts: [(name: String, content: String)], _ progress: ProgressLine
  ) throws -> Prepared {
    Output.warn(ofFilesAt: path)
    let stored = try languageModel(path)
    let tokenizer = try stored.checkedTokenizer()
    let run = try TaskRun(plan, stored, tokenizer, progress: progress.show)
    progress.end()
    let encoded = try texts.map { name, content in
      let text = try PerplexityText(content, for: stored, tokenizer, by: style)
      let context = style.usualContext(limit: stored.configuration.contextLength)
      let settings = Perplexity.Settings(style, context: context)
      try Perplexity.check(stored.configuration, text, settings)
      return (name: name, text: text, settings: settings)
    }
    let form = products.applied(to: try weights.form(of: stored, progress))
    let kept = try out.map { try records(of: stored, $0.path.appending(name), plan) }
    return Prepared(
      name: name, stored: stored, tokenizer: tokenizer, run: run, texts: encoded,
      form: form, records: kept)
  }

  private func languageModel(_ path: FilePath) throws -> StoredModel {
    if (try? ModelLocation(path))?.kind is TextClassifiers.Type {
      return try HintedError.adding(
        "'switchyard inspect \(path) --data TEXTS' measures how well it predicts classes or scores"
      ) { try StoredModel(path) }
    }
    return try StoredModel(path)
  }

  private func records(
    of stored: StoredModel, _ folder: FilePath, _ plan: EvaluationPlan
  ) throws -> TaskRecords {
    let words = [
      "dtype \(weights.dtype?.rawValue ?? "of the model")",
      "quantize \(weights.quantization.quantize ?? "nothing")",
      "products \(products.products.rawValue)",
    ]
    let settings = TaskRecords.Settings(
      plan, model: try stored.fingerprint, weights: words.joined(separator: ", "))
    do {
      return try TaskRecords(folder, settings, resumes: resume)
    } catch FileError.alreadyExists(let path) {
      throw HintedError(cause: FileError.alreadyExists(path), hint: "--resume continues it")
    }
  }

  /// Short names of models that tell them apart: the last parts of their paths, with numbers where those are equal.
  static func names(_ paths: [FilePath]) -> [String] {
    let short = paths.map { path in
      let path = path.lexicallyNormalized()
      let last = path.lastComponent?.string ?? "model"
      guard last == "model", let folder = path.removingLastComponent().lastComponent else {
        return last
      }
      return folder.string
    }
    return short.enumerated().map { place, name in
      let before = short[..<place].count { $0 == name }
      return before == 0 ? name : "\(name)-\(before + 1)"
    }
  }
}
