import MoECore
import MoEData
import SystemPackage

/// A context and what may follow it, whose likelihood is asked.
struct TaskRequest: Hashable, Sendable {
  /// What the model has read.
  var context: String
  /// What is scored.
  var continuation: String
}

/// A question of a data set, as the harness words it.
struct TaskQuestion: Sendable {
  /// What is asked.
  enum Form: Hashable, Sendable {
    /// Which of several texts follows the context best.
    case choices(context: String, choices: [String])
    /// After which of several contexts the text follows best.
    case contexts([String], continuation: String)
    /// Whether the text is what the model would say next, and how likely it is.
    case completion(context: String, continuation: String)
  }

  /// Contexts and texts.
  var form: Form
  /// The right choice, from 0.
  var answer: Int
  /// What the harness calls the target in its records.
  var target: String
  /// The row of the data set.
  var fields: JSONObject
  /// The file.
  var path: FilePath
  /// The line on which the row begins, from 1.
  var line: Int

  /// What stands between a context and what follows it.
  private static let delimiter = " "
  /// What ends an example.
  private static let exampleEnd = "\n\n"

  init(_ row: QuestionRow, _ form: Form, answer: Int = 0, target: String? = nil) {
    (self.form, self.answer, fields) = (form, answer, row.fields)
    (path, line) = (row.path, row.line)
    self.target = target ?? "\(answer)"
  }

  /// The choices, whose lengths `acc_norm` divides by; the contexts where these differ.
  var choices: [String] {
    switch form {
    case .choices(_, let choices): choices
    case .contexts(let contexts, _): contexts
    case .completion(_, let continuation): [continuation]
    }
  }

  /// What is scored after `prefix`, one request for each choice.
  ///
  /// - Parameter prefix: A description of the task and examples with their answers; may be empty.
  /// - Returns: The requests, in the order of the choices.
  func requests(after prefix: String = "") -> [TaskRequest] {
    switch form {
    case .choices(let context, let choices):
      choices.map {
        TaskRequest(context: prefix + context, continuation: Self.delimiter + $0)
      }
    case .contexts(let contexts, let continuation):
      contexts.map {
        TaskRequest(context: prefix + $0, continuation: Self.delimiter + continuation)
      }
    case .completion(let context, let continuation):
      [TaskRequest(context: prefix + context, continuation: continuation)]
    }
  }

  /// The question with its answer, as an example before others.
  var example: String {
    let (context, answer): (String, String) =
      switch form {
      case .choices(let context, let choices): (context, choices[self.answer])
      case .contexts(let contexts, let continuation): (contexts[self.answer], continuation)
      case .completion(let context, let continuation): (context, continuation)
      }
    return context + Self.delimiter + answer + Self.exampleEnd
  }
}
