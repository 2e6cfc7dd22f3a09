import MoECore
import MoEData

extension EvaluationTask {
  /// Which of two ways serves a physical goal.
  static let piqa = EvaluationTask(
    "piqa", help: "PIQA: which of two ways serves a physical goal",
    metrics: [.accuracy, .normalizedAccuracy],
    origin: "the validation set of PIQA, yonatanbisk.com/piqa",
    evaluation: [source("valid"), labelled("valid")],
    training: [source("train"), labelled("train")], leavesOutOwn: true)

  private static func source(_ split: String) -> QuestionSource {
    QuestionSource(
      "piqa/\(split).jsonl", "piqa/\(split)-labels.lst",
      form: "JSON lines with goal, sol1, sol2, and one label per line"
    ) { paths in
      let rows = try QuestionFile.jsonLines(paths[0])
      let labels = try QuestionFile.lines(paths[1])
      guard labels.count == rows.count else {
        throw DataError.invalidLine(
          paths[1], line: labels.count,
          problem:
            "is the last of \(labels.count) labels for \(rows.count) questions; fetch both files again"
        )
      }
      return try zip(rows, labels).enumerated().map { place, entry in
        let label = QuestionRow(
          path: paths[1], line: place + 1, fields: ["label": .string(entry.1)])
        return try question(entry.0, answer: label.choice("label", of: 2))
      }
    }
  }

  /// Labels may be in the rows, as in Hugging Face's copy.
  private static func labelled(_ split: String) -> QuestionSource {
    QuestionSource(
      jsonLines: "piqa/\(split).jsonl", form: "JSON lines with goal, sol1, sol2, label"
    ) { try question($0, answer: $0.choice("label", of: 2)) }
  }

  private static func question(_ row: QuestionRow, answer: Int) throws -> TaskQuestion {
    var row = row
    row.fields["label"] = .number(Double(answer))
    return TaskQuestion(
      row,
      .choices(
        context: "Question: \(try row.string("goal"))\nAnswer:",
        choices: try [row.text("sol1"), row.text("sol2")]), answer: answer)
  }
}
