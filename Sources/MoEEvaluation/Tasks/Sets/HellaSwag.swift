import Foundation
import MoECore
import MoEData
import SystemPackage

extension EvaluationTask {
  /// How a description of an everyday scene goes on.
  static let hellaSwag = EvaluationTask(
    "hellaswag", help: "HellaSwag: how an everyday scene goes on, four choices",
    metrics: [.normalizedAccuracy, .accuracy],
    origin: "the validation set of HellaSwag, github.com/rowanz/hellaswag",
    evaluation: [
      QuestionSource(jsonLines: "hellaswag/hellaswag_val.jsonl", form: form) { try scene($0) },
      QuestionSource(
        "hellaswag/hellaswag_val_full.txt.bz2",
        form: "six lines per question, as llama.cpp has them",
        note: reconstruction
      ) { try sixLines($0[0]) },
      QuestionSource(
        "hellaswag/hellaswag_val_full.txt", form: "the same, decompressed",
        note: reconstruction
      ) { try sixLines($0[0]) },
    ],
    training: [
      QuestionSource(jsonLines: "hellaswag/hellaswag_train.jsonl", form: form) { try scene($0) }
    ], leavesOutOwn: true)

  private static let reconstruction =
    "reconstructed: the file has the last fragment of contexts in lower case; its first letter is capitalized again"

  private static let form = "JSON lines with activity_label, ctx_a, ctx_b, endings, label"

  private static func scene(_ row: QuestionRow) throws -> TaskQuestion {
    let endings = try row.texts("endings")
    let context =
      try row.string("ctx_a") + " " + HarnessText.capitalized(row.string("ctx_b"))
    let cleaned = try row.texts(endings.map { .string(Self.cleaned($0)) }, "endings")
    return TaskQuestion(
      row,
      .choices(
        context: Self.cleaned(try row.text("activity_label") + ": " + context), choices: cleaned),
      answer: try row.choice("label", of: endings.count))
  }

  /// Without the marks of WikiHow, as the harness removes them: what brackets on one line hold.
  static func cleaned(_ text: String) -> String {
    let titled = HarnessText.stripped(text).replacingOccurrences(
      of: " [title]", with: ". ", options: .literal)
    var (result, pending) = (String.UnicodeScalarView(), String.UnicodeScalarView())
    for scalar in titled.unicodeScalars {
      if pending.isEmpty, scalar != "[" {
        result.append(scalar)
        continue
      }
      pending.append(scalar)
      // A bracket that nothing closes on its line stays.
      if scalar == "\n" { result.append(contentsOf: pending) }
      if scalar == "\n" || scalar == "]" { pending.removeAll() }
    }
    result.append(contentsOf: pending)
    return String(result).replacingOccurrences(of: "  ", with: " ", options: .literal)
  }

  private static let linesPerQuestion = 6

  private static func sixLines(_ path: FilePath) throws -> [TaskQuestion] {
    let lines = try QuestionFile.lines(path)
    guard lines.count.isMultiple(of: linesPerQuestion) else {
      throw DataError.invalidLine(
        path, line: lines.count,
        problem: "is the last of \(lines.count); a question has \(linesPerQuestion) lines")
    }
    return try stride(from: 0, to: lines.count, by: linesPerQuestion).map { start in
      let endings = lines[start + 2..<start + linesPerQuestion]
      let context = reconstructed(lines[start])
      let row = QuestionRow(
        path: path, line: start + 1,
        fields: [
          "query": .string(context), "choices": .array(endings.map { .string($0) }),
          "gold": .string(lines[start + 1]),
        ])
      let choices = try row.texts("choices")
      return TaskQuestion(
        row, .choices(context: try row.text("query"), choices: choices),
        answer: try row.choice("gold", of: choices.count))
    }
  }

  /// The context with the first letter of its last fragment capitalized.
  private static func reconstructed(_ context: String) -> String {
    guard let (before, fragment) = HarnessText.parted(context, at: ". ", last: true) else {
      return context
    }
    return before + ". " + HarnessText.capitalizingFirst(fragment)
  }
}
