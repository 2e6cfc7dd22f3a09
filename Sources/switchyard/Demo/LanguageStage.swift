import Foundation
import MoECore
import MoEEvaluation
import MoEReport
import MoETraining
import SystemPackage

/// The bundled language model is trained on, and writes before and after.
struct LanguageStage: DemoStage {
  let setting: DemoSetting

  let title = "A language model of experts learns on"

  private static let prompt = "And Jesus answered and said unto them,"
  /// Less than what training holds back, so that no model has seen it.
  private var heldOutBytes: Int { setting.isQuick ? 3_000 : 75_000 }
  private var heldOut: FilePath { setting.made("held-out.txt") }
  private var run: FilePath { setting.made("language") }

  var steps: [DemoStep] {
    let (old, new) = (setting.bundled("Data/bible-moe").string, run.appending("model").string)
    return [
      DemoStep(
        name: "held-out",
        work: .end(
          of: setting.bundled("Data/bible/poems-and-gospels.txt"), bytes: heldOutBytes,
          to: heldOut), makes: ["held-out.txt"]),
      perplexity("before", of: old), generation("before", by: old), training,
      perplexity("after", of: new), generation("after", by: new),
    ]
  }

  private var training: DemoStep {
    var words = ["train", setting.bundled("Examples/demo-language.json").string]
    words += ["--out", run.string, "--resume"]
    if setting.isQuick {
      for change in [
        "data.train=\(heldOut)", "data.validation_share=0.3", "data.context=32",
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

  // MARK: Results

  private func perplexity(_ when: String) throws -> Perplexity {
    try setting.value(Perplexity.self, in: "perplexity-\(when).json")
  }

  private func written(_ when: String) throws -> String {
    Self.prompt + (try setting.text("text-\(when).txt")).trimmingSuffix("\n")
  }

  func summary() throws -> String {
    let (before, after) = (try perplexity("before"), try perplexity("after"))
    return """
      perplexity on \(before.scoredTokens) unseen tokens: \(NumberText.short(before.perplexity)) before, \
      \(NumberText.short(after.perplexity)) after
      before: \(try written("before"))
      after:  \(try written("after"))
      """
  }

  func sections() throws -> [Page.Section] {
    let (before, after) = (try perplexity("before"), try perplexity("after"))
    let lines = steps.map(\.line)
    return [
      Page.Section(
        "It learns",
        [
          .figures([losses] + RunFigures(run).figures),
          .measurements([
            .init(
              NumberText.short(before.perplexity),
              "perplexity of the bundled model on \(NumberText.count(before.scoredTokens)) tokens that it has not seen",
              command: lines[1]),
            .init(
              NumberText.short(after.perplexity),
              "perplexity after training on; lower is better", command: lines[4]),
            .init(
              NumberText.short(after.bitsPerByte), "bits for each byte of the unseen text",
              command: lines[4]),
          ]), .commands([lines[0], lines[3]]),
        ]),
      Page.Section(
        "It writes",
        [
          .passage(title: "Before", text: try written("before")),
          .passage(title: "After, from the same seed", text: try written("after")),
          .commands([lines[2], lines[5]]),
        ]),
    ]
  }

  private var losses: Figure {
    LossFigure(run).figure(
      "Loss", note: "Validation is on the end of the text, which is not learned from.")
  }
}

extension String {
  /// The text without a last part that it may have.
  func trimmingSuffix(_ suffix: String) -> String {
    hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
  }
}
