import ArgumentParser
import Foundation
import MoECore
import MoEData
import MoEEvaluation
import MoEModels
import MoEReport
import MoETensor
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

      With several models, each is compared with the first, question by question: the difference, its 95 % confidence \
      interval and its p-value, by drawing the questions 5,000 times.

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
      "How texts are cut into windows, and which tokens are scored (default: strided); see 'switchyard help perplexity'."
  )
  var style: PerplexityProtocol?
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
    guard style == nil || !text.isEmpty else {
      throw ValidationError("--protocol goes with --text.")
    }
    guard !resume || out != nil else { throw ValidationError("--resume needs --out.") }
    if let html, let out, Self.absolute(html.path).starts(with: Self.absolute(out.path)) {
      throw ValidationError("--html lies in --out, which holds answers only; name another place.")
    }
  }

  func run() throws {
    let inputs = (models + questions.tasksFile + text).map(\.path) + [questions.data?.path]
    try files.check(html?.path, inputs: inputs)
    let folder = try out.map { out in
      try resumable { try EvaluationFolder(out.path, resumes: resume) }
    }
    weights.engine.apply()
    Engine.returnLargeBlocks()
    let plan = try questions.plan()
    let texts = try text.map { (name: $0.path.textName, content: try readText($0.path)) }
    let progress = ProgressLine(showsTimeLeft: true)
    defer { progress.end() }
    // Everything is checked before the first model is asked, and before anything is written.
    var subjects = try zip(models.map(\.path), Self.names(models.map(\.path))).map { path, name in
      try EvaluationSubject(self, path, name, plan, texts, progress)
    }
    if let folder {
      for place in subjects.indices { try subjects[place].prepare(folder, plan) }
      for subject in subjects { try subject.records?.open() }
    }
    let report = EvaluationReport(try subjects.map { try $0.answer(progress) }, plan)
    try folder?.write(report)
    if let html { try EvaluationPage(report).page.write(to: html.path) }
    if json { return try Output.json(report) }
    for line in EvaluationText(report).lines { Output.line(line) }
    if let html { Output.line("figures in \(html.path)") }
    if let out { Output.line("answers in \(out.path)") }
  }

  /// Says how an evaluation that exists is continued.
  private func resumable<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as FileError where error == .alreadyExists(out?.path ?? "") && !resume {
      throw HintedError(cause: error, hint: "--resume continues it")
    }
  }

  private static func absolute(_ path: FilePath) -> FilePath {
    FilePath(FileManager.default.currentDirectoryPath).pushing(path).lexicallyNormalized()
  }

  /// Short names that distinguish models: the last parts of their paths, with numbers where those are equal.
  static func names(_ paths: [FilePath]) -> [String] {
    var names: [String] = []
    for path in paths.map(absolute) {
      var name = path.lastComponent?.string ?? "model"
      let folder = path.removingLastComponent().lastComponent
      if name == "model", let folder { name = folder.string }
      let taken = EvaluationFolder.reservedNames.union(names)
      var (unique, number) = (name, 2)
      while taken.contains(unique) {
        unique = "\(name)-\(number)"
        number += 1
      }
      names.append(unique)
    }
    return names
  }
}

/// A model that can be asked the questions.
private struct EvaluationSubject {
  private let command: Evaluate
  private let name: String
  private let stored: StoredModel
  private let tokenizer: Tokenizer
  private let run: TaskRun
  private let texts: [(name: String, text: PerplexityText, settings: Perplexity.Settings)]
  private let form: WeightForm
  private(set) var records: TaskRecords?

  /// Checks that the model can be asked, before its weights are read.
  init(
    _ command: Evaluate, _ path: FilePath, _ name: String, _ plan: EvaluationPlan,
    _ texts: [(name: String, content: String)], _ progress: ProgressLine
  ) throws {
    (self.command, self.name) = (command, name)
    Output.warn(ofFilesAt: path)
    let stored = try Self.languageModel(path)
    let tokenizer = try stored.checkedTokenizer()
    run = try TaskRun(plan, stored, tokenizer, progress: progress.show)
    progress.end()
    self.texts = try texts.map { text, content in
      do {
        return try Self.prepared(text, content, stored, tokenizer, command.style ?? .strided)
      } catch let error as Perplexity.Failure {
        throw HintedError(cause: error, hint: "the text is \(text), and the model \(name)")
      }
    }
    form = command.products.applied(to: try command.weights.form(of: stored, progress))
    (self.stored, self.tokenizer) = (stored, tokenizer)
  }

  private static func prepared(
    _ name: String, _ content: String, _ stored: StoredModel, _ tokenizer: Tokenizer,
    _ style: PerplexityProtocol
  ) throws -> (name: String, text: PerplexityText, settings: Perplexity.Settings) {
    let text = try PerplexityText(content, for: stored, tokenizer, by: style)
    let context = style.usualContext(limit: stored.configuration.contextLength)
    let settings = Perplexity.Settings(style, context: context)
    try Perplexity.check(stored.configuration, text, settings)
    return (name: name, text: text, settings: settings)
  }

  private static func languageModel(_ path: FilePath) throws -> StoredModel {
    guard (try? ModelLocation(path))?.kind is TextClassifiers.Type else {
      return try StoredModel(path)
    }
    return try HintedError.adding(
      "'switchyard inspect \(path) --data TEXTS' measures how well it predicts classes or scores"
    ) { try StoredModel(path) }
  }

  /// Checks the answers of the model that are there already.
  mutating func prepare(_ folder: EvaluationFolder, _ plan: EvaluationPlan) throws {
    let words = [
      "dtype \(command.weights.dtype?.rawValue ?? "of the model")",
      "quantize \(command.weights.quantization.quantize ?? "nothing")",
      "packing \(form.packing?.fingerprint ?? "none")",
      "products \(command.products.products.rawValue)",
    ]
    let settings = TaskRecords.Settings(
      plan, model: try stored.fingerprint, weights: words.joined(separator: ", "))
    let records = try folder.records(of: name, settings)
    try run.check(records)
    self.records = records
  }

  /// Asks the model.
  func answer(_ progress: ProgressLine) throws -> EvaluationReport.Model {
    let decoder = try stored.decoder(as: form)
    progress.end()
    let results = try run.results(of: decoder, records: records, progress: progress.show)
    progress.end()
    let scores = try texts.map { name, text, settings in
      EvaluationReport.TextScore(
        text: name,
        perplexity: try Perplexity.measure(decoder, text, settings, progress: progress.show))
    }
    progress.end()
    return EvaluationReport.Model(
      name: name, path: stored.path.string,
      leadingTokens: run.leadingTokens.map { tokenizer.token($0) ?? "\($0)" }, results: results,
      texts: scores)
  }
}
