import MoECore
import MoEData
public import SystemPackage

extension EvaluationTask {
  /// A multiple-choice task from a user's file: on each line an object with `context`, `choices` and `answer`,
  /// which counts from 0.
  ///
  /// Examples are drawn from the file itself, never the question that is asked.
  ///
  /// - Parameters:
  ///   - path: The file, JSON lines.
  ///   - name: The task's name; `nil` for that of the file.
  /// - Returns: The task.
  public static func own(_ path: FilePath, name: String? = nil) -> EvaluationTask {
    let name = (name ?? path.lastComponent?.stem ?? "task").printableValue
    return EvaluationTask(
      name, help: "questions of \(path)", metrics: [.accuracy, .normalizedAccuracy]
    ) { _, _ in
      let questions = try QuestionFile.jsonLines(path).map { row in
        let choices = try row.texts("choices")
        return TaskQuestion(
          row, .choices(context: try row.string("context"), choices: choices),
          answer: try row.choice("answer", of: choices.count))
      }
      return [
        TaskPart(
          name: name, questions: questions,
          examples: TaskPart.Examples(questions, .drawn(leavesOutOwn: true)))
      ]
    }
  }
}
