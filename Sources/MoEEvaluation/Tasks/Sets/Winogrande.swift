import MoEData

extension EvaluationTask {
  /// Sentences with a pronoun's place to fill: the two contexts differ, and what follows is scored.
  static let winogrande = EvaluationTask(
    "winogrande", help: "WinoGrande XL: which of two names a sentence is about",
    metrics: [.accuracy],
    origin:
      "the xl sets of WinoGrande; Scripts/data/parquet-to-jsonl converts Hugging Face's files",
    evaluation: [
      QuestionSource(jsonLines: "winogrande/winogrande_xl_validation.jsonl", form: form) {
        try sentence($0)
      },
      QuestionSource(jsonLines: "llm-foundry/winogrande.jsonl", form: ContextsForm.name) {
        try ContextsForm.question($0)
      },
    ],
    training: [
      QuestionSource(jsonLines: "winogrande/winogrande_xl_train.jsonl", form: form) {
        try sentence($0)
      }
    ], leavesOutOwn: true)

  private static let form = "JSON lines with sentence, option1, option2, answer"

  private static func sentence(_ row: QuestionRow) throws -> TaskQuestion {
    guard let (before, after) = HarnessText.parted(try row.text("sentence"), at: "_") else {
      throw row.refused("has no '_' in its sentence, which marks the place of the options")
    }
    let options = try [row.text("option1"), row.text("option2")]
    return TaskQuestion(
      row,
      .contexts(options.map { before + $0 }, continuation: HarnessText.stripped(after)),
      answer: try row.choice("answer", of: 2, from: 1), target: HarnessText.stripped(after))
  }
}

/// Rows of llm-foundry whose contexts differ.
enum ContextsForm {
  static let name = "JSON lines with context_options, continuation, gold"

  static func question(_ row: QuestionRow) throws -> TaskQuestion {
    let contexts = try row.texts("context_options")
    let continuation = try row.text("continuation")
    return TaskQuestion(
      row, .contexts(contexts, continuation: continuation),
      answer: try row.choice("gold", of: contexts.count), target: continuation)
  }
}

/// Rows of llm-foundry whose choices differ.
enum ChoicesForm {
  static let name = "JSON lines with query, choices, gold"

  static func parts(_ row: QuestionRow) throws -> (query: String, choices: [String], gold: Int) {
    let choices = try row.texts("choices")
    return (try row.text("query"), choices, try row.choice("gold", of: choices.count))
  }
}
