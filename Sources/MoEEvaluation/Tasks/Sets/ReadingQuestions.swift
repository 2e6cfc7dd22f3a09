import MoEData

extension EvaluationTask {
  /// Questions about a passage that are answered by yes or no.
  static let boolQ = EvaluationTask(
    "boolq", help: "BoolQ: yes or no, about a passage", metrics: [.accuracy],
    origin: "the validation set of SuperGLUE's BoolQ",
    evaluation: [
      QuestionSource(jsonLines: "boolq/val.jsonl", form: passages) { try passage($0) },
      QuestionSource(jsonLines: "llm-foundry/boolq.jsonl", form: ChoicesForm.name) {
        try query($0)
      },
    ],
    training: [QuestionSource(jsonLines: "boolq/train.jsonl", form: passages) { try passage($0) }],
    leavesOutOwn: true)

  private static let passages = "JSON lines with question, passage, label"

  private static func passage(_ row: QuestionRow) throws -> TaskQuestion {
    TaskQuestion(
      row,
      .choices(
        context: "\(try row.text("passage"))\nQuestion: \(try row.text("question"))?\nAnswer:",
        choices: ["no", "yes"]), answer: try row.choice("label", of: 2))
  }

  /// llm-foundry has the word "Passage" before the passage, and no "Answer" at the end.
  private static func query(_ row: QuestionRow) throws -> TaskQuestion {
    let (query, choices, gold) = try ChoicesForm.parts(row)
    guard let text = HarnessText.after(prefix: "Passage: ", in: query), choices == ["no", "yes"]
    else {
      throw row.refused(
        "is not a question of BoolQ: expected is 'Passage: …' with the choices no and yes")
    }
    return TaskQuestion(
      row, .choices(context: text + "\nAnswer:", choices: choices), answer: gold)
  }

  /// The last word of a passage, which only the whole passage gives away.
  static let lambada = EvaluationTask(
    "lambada", help: "LAMBADA: the last word of a passage; the harness's lambada_openai",
    metrics: [.accuracy, .perplexity],
    origin: "OpenAI's form of LAMBADA",
    evaluation: [
      QuestionSource(
        jsonLines: "lambada/lambada_openai_test.jsonl", form: "JSON lines with text"
      ) { row in
        guard let (context, word) = HarnessText.parted(try row.text("text"), at: " ", last: true)
        else { throw row.refused("has a text of one word; at least two are needed") }
        return completion(row, context, word)
      },
      QuestionSource(
        jsonLines: "llm-foundry/lambada_openai.jsonl", form: "JSON lines with context, continuation"
      ) { completion($0, try $0.text("context"), try $0.text("continuation")) },
    ], training: nil, leavesOutOwn: false)

  private static func completion(
    _ row: QuestionRow, _ context: String, _ word: String
  ) -> TaskQuestion {
    TaskQuestion(
      row, .completion(context: context, continuation: " " + word), target: " " + word)
  }
}
