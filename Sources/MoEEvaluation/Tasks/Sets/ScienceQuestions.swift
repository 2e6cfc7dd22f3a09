import MoECore
import MoEData

extension EvaluationTask {
  /// Elementary science, answered with a fact from an open book that is not shown.
  static let openBookQA = EvaluationTask(
    "openbookqa", help: "OpenBookQA: elementary science, four choices",
    metrics: [.normalizedAccuracy, .accuracy],
    origin: "the test set of OpenBookQA (main) by the Allen Institute for AI",
    evaluation: [
      ScienceForm.source("openbookqa/test.jsonl") { $0 },
      QuestionSource(jsonLines: "llm-foundry/openbook_qa.jsonl", form: ChoicesForm.name) {
        let (query, choices, gold) = try ChoicesForm.parts($0)
        return TaskQuestion($0, .choices(context: query, choices: choices), answer: gold)
      },
    ],
    training: [ScienceForm.source("openbookqa/train.jsonl") { $0 }], leavesOutOwn: false)

  /// School science that word overlap answers.
  static let arcEasy = arc("arc_easy", "ARC-Easy", metrics: [.accuracy, .normalizedAccuracy])

  /// School science that word overlap does not answer.
  static let arcChallenge = arc(
    "arc_challenge", "ARC-Challenge", metrics: [.normalizedAccuracy, .accuracy])

  private static func arc(
    _ name: String, _ title: String, metrics: [TaskMetric]
  ) -> EvaluationTask {
    EvaluationTask(
      name, help: "\(title): school science, four choices", metrics: metrics,
      origin: "the test set of \(title) by the Allen Institute for AI",
      evaluation: [
        ScienceForm.source("\(name)/test.jsonl", worded: asked),
        QuestionSource(jsonLines: "llm-foundry/\(name).jsonl", form: ChoicesForm.name) {
          let (query, choices, gold) = try ChoicesForm.parts($0)
          return TaskQuestion(
            $0, .choices(context: query + "\nAnswer:", choices: choices), answer: gold)
        },
      ],
      training: [ScienceForm.source("\(name)/train.jsonl", worded: asked)], leavesOutOwn: false)
  }

  @Sendable private static func asked(_ question: String) -> String {
    "Question: \(question)\nAnswer:"
  }
}

/// Rows as the Allen Institute for AI publishes them.
private enum ScienceForm {
  static func source(
    _ file: String, worded: @escaping @Sendable (String) -> String
  ) -> QuestionSource {
    QuestionSource(
      jsonLines: file, form: "JSON lines as published, or from Hugging Face's parquet"
    ) { try question($0, worded: worded) }
  }

  private static func question(
    _ row: QuestionRow, worded: (String) -> String
  ) throws -> TaskQuestion {
    let (stem, choices) = try parts(row)
    let texts = try row.texts(choices.map { .string($0.text) }, "choices")
    let key = HarnessText.stripped(try row.text("answerKey"))
    guard let answer = choices.firstIndex(where: { $0.label == key }) else {
      throw row.refused(
        "has the answer '\(key.prefix(40))', but its choices are labelled \(choices.map(\.label).joined(separator: ", "))"
      )
    }
    return TaskQuestion(
      row, .choices(context: worded(stem), choices: texts), answer: answer)
  }

  /// The question and its choices, nested as they are published, or flat as Hugging Face's copies have them.
  private static func parts(
    _ row: QuestionRow
  ) throws -> (stem: String, choices: [(label: String, text: String)]) {
    if case .object(let fields)? = row.fields["choices"] {
      let columns = QuestionRow(path: row.path, line: row.line, fields: fields)
      let (labels, texts) = (try columns.texts("label"), try columns.texts("text"))
      guard labels.count == texts.count else {
        throw row.refused("has \(labels.count) labels for \(texts.count) choices")
      }
      let key = row.fields["question_stem"] == nil ? "question" : "question_stem"
      return (try row.text(key), zip(labels, texts).map { ($0, $1) })
    }
    guard case .object(let fields)? = row.fields["question"],
      case .array(let items)? = fields["choices"]
    else { throw row.refused("needs an object 'question' with 'stem' and 'choices'") }
    let choices = try items.map { item in
      guard case .object(let choice) = item else {
        throw row.refused("has \(item.text) among its choices; each needs 'label' and 'text'")
      }
      let entry = QuestionRow(path: row.path, line: row.line, fields: choice)
      return (label: try entry.text("label"), text: try entry.text("text"))
    }
    let inner = QuestionRow(path: row.path, line: row.line, fields: fields)
    return (try inner.text("stem"), choices)
  }
}
