import MoECore
import MoEData
import Foundation
import MoEModels
import MoEReport
import MoETraining
import SystemPackage

/// A head with a feed-forward and a recurrent expert learns to classify sentences, and shows which
/// of them answered.
struct KindsStage: DemoStage {
  let setting: DemoSetting

  let title = "Experts of different kinds read sentences"

  private var run: FilePath { setting.made("hecto") }

  var steps: [DemoStep] {
    var words = ["train", setting.bundled("Examples/demo-hecto.json").string]
    words += ["--out", run.string, "--resume"]
    if setting.isQuick {
      for change in [
        "training.steps=8", "data.train_samples=64", "data.test_samples=32", "evaluation.every=4",
        "checkpoints.every=4",
      ] { words += ["--set", change] }
    }
    return [
      setting.step("hecto", words, makes: ["hecto/model"]),
      setting.step(
        "sentences",
        [
          "classify", run.appending("model").string, "--file",
          setting.bundled("Data/sentences/sentences.txt").string, "--json",
        ], output: "sentences.jsonl"),
    ]
  }

  // MARK: Results

  /// A sentence and the model's answer.
  private struct Reading {
    var text: String
    var answer: Classify.Answer

    var share: Double { Double(answer.probabilities?[answer.label ?? ""] ?? 0) }
    /// Which expert answered, and why.
    var reason: String {
      let others = answer.gate.indices.filter { $0 != answer.expert }
        .map { "\(NumberText.pagePercent(Double(answer.gate[$0]))) expert \($0)" }
      return
        "expert \(answer.expert) (\(answer.kind)) answered, because the gate gave it \(NumberText.pagePercent(Double(answer.gate[answer.expert]))) and \(others.joined(separator: ", "))"
    }
  }

  private func readings() throws -> [Reading] {
    let texts = try readText(setting.bundled("Data/sentences/sentences.txt"))
      .split(separator: "\n").map(String.init)
    let answers = try setting.values(Classify.Answer.self, inLinesOf: "sentences.jsonl")
    for answer in answers where !answer.gate.indices.contains(answer.expert) {
      throw DemoError.damaged(
        setting.made("sentences.jsonl"), problem: "an answer by an expert that does not exist")
    }
    return zip(texts, answers).map { Reading(text: $0, answer: $1) }
  }

  private var evaluation: MetricsTable { MetricsTable(run.appending("evaluation.csv")) }

  func summary() throws -> String {
    let lines = try readings().map {
      "\($0.answer.label ?? "?") (\(NumberText.pagePercent($0.share))): “\($0.text)”\n   \($0.reason)"
    }
    let accuracy = NumberText.pagePercent(evaluation.last("accuracy") ?? .nan)
    return (["accuracy on held-out texts: \(accuracy)"] + lines).joined(separator: "\n")
  }

  func sections() throws -> [Page.Section] {
    let (readings, lines) = (try readings(), steps.map(\.line))
    let result =
      lines[0] + " && "
      + ShellText.line(["tail", "-n", "1", run.appending("evaluation.csv").string])
    let meanings = zip(SyntheticTexts.labels, SyntheticTexts.meanings).map { "\($0): \($1)" }
    return [
      Page.Section(
        title,
        [
          .figures(usage + [LossFigure(run).figure("Loss of the classifier")]),
          .measurements([
            .init(
              NumberText.pagePercent(evaluation.last("accuracy") ?? .nan),
              "of held-out texts are classified correctly; by chance \(NumberText.pagePercent(1 / Double(SyntheticTexts.labels.count)))",
              command: result),
            .init(
              NumberText.pagePercent(evaluation.last("accuracy_temporal") ?? .nan),
              "of those where only the word order matters", command: result),
          ]),
          .paragraph(
            "The classes. \(meanings.joined(separator: ". ")). The first kind depends on which words occur, the second on the order of the same words. The feed-forward expert (ff) reads a mean of the words; the recurrent one (gru) reads them in order."
          ),
          .findings(
            readings.map {
              "“\($0.text)” is of class \($0.answer.label ?? "?") (\(NumberText.pagePercent($0.share))): \($0.reason)."
            }), .commands(lines),
        ])
    ]
  }

  /// Kinds of the experts, in their order.
  private var kinds: [String] {
    let path = run.appending("model").appending("config.json")
    let configuration = try? ClassifierConfiguration(ConfigurationObject(path))
    return configuration?.mixture.experts.map(\.name) ?? []
  }

  /// The fraction of each kind of text that each expert answers, in the last evaluation.
  private var usage: [Figure] {
    guard let step = evaluation.lastStep,
      case let table = MetricsTable(
        CheckpointStore(run.appending("evaluations")).path(ofStep: step)
          .appending("routing.csv")), table.columns.count > 2
    else { return [] }
    let names = kinds
    return [
      BarChart(
        table.rows.map { $0[0] },
        (1..<table.columns.count).map { column in
          (
            name: "expert \(column - 1)" + (column <= names.count ? " (\(names[column - 1]))" : ""),
            values: table.rows.map { Double($0[column]) ?? 0 }
          )
        }, nameTitle: "class, or kind, of the text", valueTitle: "fraction answered",
        format: NumberText.pagePercent
      ).figure("Which expert answers what", note: "Classes A to D, and the two kinds of texts.")
    ]
  }
}
