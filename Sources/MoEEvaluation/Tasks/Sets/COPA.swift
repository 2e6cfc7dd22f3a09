import MoEData

extension EvaluationTask {
  /// Which of two sentences is the cause or the effect of a third.
  static let copa = EvaluationTask(
    "copa", help: "COPA: which of two sentences is the cause or the effect", metrics: [.accuracy],
    origin: "the validation set of SuperGLUE's COPA",
    evaluation: [
      QuestionSource(jsonLines: "copa/val.jsonl", form: superGLUE) { try premise($0) },
      QuestionSource(jsonLines: "llm-foundry/copa.jsonl", form: ChoicesForm.name) {
        try query($0)
      },
    ],
    training: [
      QuestionSource(jsonLines: "copa/train.jsonl", form: superGLUE) { try premise($0) }
    ], leavesOutOwn: true)

  /// COPA's development set with each question a second time, so that the other choice is right.
  static let balancedCOPA = EvaluationTask(
    "balanced_copa",
    help: "Balanced COPA: COPA's 500 questions, and 500 for which the other sentence is right",
    metrics: [.accuracy], origin: "balanced-copa.github.io",
    evaluation: [
      QuestionSource(
        "copa/balanced-copa-dev-all.xml", form: "XML as it is published",
        note: "not a task of the harness; worded as its copa"
      ) { try XMLItems.rows(named: "item", in: $0[0]).map(item) }
    ], training: nil, leavesOutOwn: true)

  private static let superGLUE = "JSON lines with premise, choice1, choice2, question, label"

  private static func premise(_ row: QuestionRow) throws -> TaskQuestion {
    try question(
      row, premise: row.text("premise"), asks: row.text("question"),
      choices: [row.text("choice1"), row.text("choice2")], answer: row.choice("label", of: 2))
  }

  private static func item(_ row: QuestionRow) throws -> TaskQuestion {
    try question(
      row, premise: row.text("p"), asks: row.text("asks-for"),
      choices: [row.text("a1"), row.text("a2")],
      answer: row.choice("most-plausible-alternative", of: 2, from: 1))
  }

  /// The premise without its period, and what joins it to a choice, whose first letter is small.
  private static func question(
    _ row: QuestionRow, premise: String, asks: String, choices: [String], answer: Int
  ) throws -> TaskQuestion {
    guard let connector = ["cause": "because", "effect": "therefore"][asks] else {
      throw row.refused("asks for '\(asks.prefix(40))'; it must be 'cause' or 'effect'")
    }
    let start = String(HarnessText.stripped(premise).unicodeScalars.dropLast())
    return worded(row, start + " " + connector, choices, answer)
  }

  /// llm-foundry has a comma before the connector.
  private static func query(_ row: QuestionRow) throws -> TaskQuestion {
    let (query, choices, answer) = try ChoicesForm.parts(row)
    for connector in ["because", "therefore"] {
      if let (start, rest) = HarnessText.parted(query, at: ", " + connector, last: true),
        rest.isEmpty
      {
        return worded(row, start + " " + connector, choices, answer)
      }
    }
    throw row.refused("has a query that does not end in ', because' or ', therefore'")
  }

  /// The harness's choices begin with a space, although one stands before them anyway.
  private static func worded(
    _ row: QuestionRow, _ context: String, _ choices: [String], _ answer: Int
  ) -> TaskQuestion {
    let choices = choices.map { " " + HarnessText.loweringFirst($0) }
    return TaskQuestion(
      row, .choices(context: context, choices: choices), answer: answer, target: choices[answer])
  }
}
