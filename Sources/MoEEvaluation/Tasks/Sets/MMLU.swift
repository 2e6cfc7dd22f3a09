import MoECore
import MoEData

extension EvaluationTask {
  /// Questions of 57 subjects from school to profession, answered by a letter.
  static let mmlu = EvaluationTask(
    "mmlu",
    help: "MMLU: 57 subjects, answered by a letter, usually after 5 examples",
    metrics: [.accuracy], usualShots: 5,
    groups: MMLU.groups.map { group in
      (name: "mmlu_\(group.name)", parts: group.names.map { "mmlu_\($0)" })
    }
  ) { data, needsExamples in
    try MMLU.allSubjects.map { try MMLU.part($0, in: data, needsExamples: needsExamples) }
  }

  /// One subject of MMLU.
  ///
  /// - Parameter subject: As its files are called.
  /// - Returns: The task.
  static func mmlu(_ subject: String) -> EvaluationTask {
    EvaluationTask(
      "mmlu_\(subject)", help: "MMLU's questions of one subject", metrics: [.accuracy],
      usualShots: mmlu.usualShots
    ) { [try MMLU.part(subject, in: $0, needsExamples: $1)] }
  }
}

/// The subjects of MMLU and the files that hold them.
enum MMLU {
  /// A group of subjects, as the harness forms them.
  struct Group: Sendable {
    var name: String
    var names: [String]

    init(_ name: String, _ names: String) {
      (self.name, self.names) = (name, names.split(separator: " ").map(String.init))
    }
  }

  static let groups = [
    Group(
      "stem",
      """
      abstract_algebra anatomy astronomy college_biology college_chemistry college_computer_science \
      college_mathematics college_physics computer_security conceptual_physics electrical_engineering \
      elementary_mathematics high_school_biology high_school_chemistry high_school_computer_science \
      high_school_mathematics high_school_physics high_school_statistics machine_learning
      """),
    Group(
      "other",
      """
      business_ethics clinical_knowledge college_medicine global_facts human_aging management marketing \
      medical_genetics miscellaneous nutrition professional_accounting professional_medicine virology
      """),
    Group(
      "social_sciences",
      """
      econometrics high_school_geography high_school_government_and_politics \
      high_school_macroeconomics high_school_microeconomics high_school_psychology human_sexuality \
      professional_psychology public_relations security_studies sociology us_foreign_policy
      """),
    Group(
      "humanities",
      """
      formal_logic high_school_european_history high_school_us_history high_school_world_history \
      international_law jurisprudence logical_fallacies moral_disputes moral_scenarios philosophy \
      prehistory professional_law world_religions
      """),
  ]

  /// The subjects in the harness's order, by name.
  static let allSubjects = groups.flatMap(\.names).sorted()

  static let letters = ["A", "B", "C", "D"]

  static func part(
    _ subject: String, in data: TaskData, needsExamples: Bool
  ) throws -> TaskPart {
    let test = try questions(subject, "test", in: data)
    let examples = needsExamples ? try questions(subject, "dev", in: data) : []
    let title = subject.split(separator: "_").joined(separator: " ")
    return TaskPart(
      name: "mmlu_\(subject)",
      description:
        "The following are multiple choice questions (with answers) about \(title).\n\n",
      questions: test, examples: TaskPart.Examples(examples, .first))
  }

  private static func questions(
    _ subject: String, _ split: String, in data: TaskData
  ) throws -> [TaskQuestion] {
    let source = QuestionSource(
      "mmlu/\(split)/\(subject)_\(split).csv",
      form: "comma-separated: question, four choices, letter of the answer"
    ) { paths in
      try QuestionFile.commaSeparated(paths[0], columns: ["question"] + letters + ["answer"]).map {
        try question($0, subject)
      }
    }
    return try [source].questions(
      of: "mmlu", in: data, origin: "data.tar of github.com/hendrycks/test"
    ).questions
  }

  private static func question(_ row: QuestionRow, _ subject: String) throws -> TaskQuestion {
    let letter = HarnessText.stripped(try row.text("answer"))
    guard let answer = letters.firstIndex(of: letter) else {
      throw row.refused("has the answer '\(letter.prefix(40))'; it must be A, B, C or D")
    }
    let choices = try letters.map { try row.string($0) }
    let text = try row.text("question")
    var context = HarnessText.stripped(text)
    for (letter, choice) in zip(letters, choices) { context += "\n\(letter). \(choice)" }
    var row = row
    row.fields = [
      "question": .string(text), "subject": .string(subject),
      "choices": .array(choices.map { .string($0) }), "answer": .number(Double(answer)),
    ]
    return TaskQuestion(
      row, .choices(context: context + "\nAnswer:", choices: letters), answer: answer)
  }
}
