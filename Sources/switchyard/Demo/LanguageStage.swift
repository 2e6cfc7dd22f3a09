import Foundation
import MoECore
import MoEEvaluation
import MoEReport
import MoETraining
import SystemPackage

/// Training of the bundled language model continues, and it writes before and after.
struct LanguageStage: DemoStage {
  let setting: DemoSetting

  let title = "A language model of experts continues learning"

  private static let prompt = "And Jesus answered and said unto them,"
  /// This much of the end is less than training holds out, so no model has seen it.
  private var excerptBytes: Int { setting.isQuick ? 3_000 : 75_000 }
  private var heldOut: FilePath { setting.made("held-out.txt") }
  private var run: FilePath { setting.made("language") }

  var steps: [DemoStep] {
    let (old, new) = (setting.bundled("Data/bible-moe").string, run.appending("model").string)
    let quick = setting.isQuick ? [excerpt("quick-text", .head, of: "Data/bible/law.txt")] : []
    return quick + [
      excerpt("held-out", .tail, of: "Data/bible/poems-and-gospels.txt"),
      perplexity("before", of: old), generation("before", by: old), training,
      perplexity("after", of: new), generation("after", by: new), evaluation(of: [old, new]),
    ]
  }

  private func excerpt(_ name: String, _ part: DemoStep.Part, of text: String) -> DemoStep {
    let file = "\(name).txt"
    return DemoStep(
      name: name,
      work: .excerpt(part, of: setting.bundled(text), bytes: excerptBytes, to: setting.made(file)),
      makes: [file])
  }

  private var training: DemoStep {
    var words = ["train", setting.bundled("Examples/demo-language.json").string]
    words += ["--out", run.string, "--resume"]
    if setting.isQuick {
      for change in [
        "data.train=\(setting.made("quick-text.txt"))", "data.validation_share=0.3",
        "data.context=32",
        "training.steps=6", "training.batch_size=2", "schedule.warmup_steps=1",
        "evaluation.every=3", "evaluation.windows=2", "checkpoints.every=2",
        "log.routing_every=1",
      ] { words += ["--set", change] }
    }
    return setting.step("language", words, makes: ["language/model"])
  }

  private func perplexity(_ when: String, of model: String) -> DemoStep {
    setting.step(
      "perplexity-\(when)", ["perplexity", model, "--text", heldOut.string, "--json"],
      output: "perplexity-\(when).json")
  }

  private func generation(_ when: String, by model: String) -> DemoStep {
    let length = setting.isQuick ? "6" : "80"
    return setting.step(
      "text-\(when)",
      [
        "generate", model, "--prompt", Self.prompt, "--max-tokens", length, "--temperature", "0.7",
        "--seed", "1",
      ], output: "text-\(when).txt")
  }

  private func evaluation(of models: [String]) -> DemoStep {
    let questions = setting.bundled("Data/questions/verses.jsonl").string
    return setting.step(
      "evaluation", ["evaluate"] + models + ["--tasks-file", questions, "--json"],
      output: "evaluation.json")
  }

  // MARK: Results

  private func evaluated() throws -> EvaluationReport {
    try setting.value(EvaluationReport.self, in: "evaluation.json")
  }

  private func perplexity(_ when: String) throws -> Perplexity {
    try setting.value(Perplexity.self, in: "perplexity-\(when).json")
  }

  private func written(_ when: String) throws -> String {
    Self.prompt + (try setting.text("text-\(when).txt")).trimmingSuffix("\n")
  }

  func summary() throws -> String {
    let (before, after) = (try perplexity("before"), try perplexity("after"))
    return """
      perplexity on \(before.scoredTokens) held-out tokens: \(NumberText.short(before.perplexity)) before, \
      \(NumberText.short(after.perplexity)) after
      verses completed correctly: \(try evaluated().models.map { $0.results[0].primary.text }.joined(separator: " before, ")) after
      before: \(try written("before"))
      after:  \(try written("after"))
      """
  }

  func sections() throws -> [Page.Section] {
    let (before, after) = (try perplexity("before"), try perplexity("after"))
    func line(_ name: String) -> String { steps.first { $0.name == name }?.line ?? "" }
    return [
      Page.Section(
        "A language model continues learning",
        [
          .figures([losses] + RunFigures(run).figures),
          .measurements([
            .init(
              NumberText.short(before.perplexity),
              "perplexity of the bundled model on \(NumberText.count(before.scoredTokens)) held-out tokens",
              command: line("perplexity-before")),
            .init(
              NumberText.short(after.perplexity),
              "perplexity after more training; lower is better", command: line("perplexity-after")),
            .init(
              NumberText.short(after.bitsPerByte ?? .nan), "bits per byte of the held-out text",
              command: line("perplexity-after")),
          ]), .commands([line("held-out"), line("language")]),
        ]),
      try questions(line("evaluation")),
      Page.Section(
        "What it writes",
        [
          .passage(title: "Before", text: try written("before")),
          .passage(title: "After, from the same seed", text: try written("after")),
          .commands([line("text-before"), line("text-after")]),
        ]),
    ]
  }

  /// What both models answer to the same questions.
  private func questions(_ command: String) throws -> Page.Section {
    let report = try evaluated()
    let difference = report.differences.first
    return Page.Section(
      "Which ending is a verse's own",
      [
        .measurements(
          zip(["bundled model", "after more training"], report.models).map { name, model in
            .init(
              model.results[0].primary.text,
              "of \(model.results[0].questions) verses completed with the right one of four endings: \(name)",
              command: command)
          }),
        .paragraph(
          difference.map {
            "Difference, question by question, in percentage points: \($0.cells[3]), 95 % confidence interval \($0.cells[4]), p-value \($0.cells[5])."
          } ?? ""),
      ])
  }

  private var losses: Figure {
    LossFigure(run).figure(
      "Loss",
      note:
        "Training: means of neighbouring steps, on the text that the bundled model was trained on. Validation: on the end of that text, which was never trained on."
    )
  }
}

extension String {
  /// The text without a given suffix.
  func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
