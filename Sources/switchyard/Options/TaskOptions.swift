import ArgumentParser
import MoECore
import MoEEvaluation
import SystemPackage

/// Which questions are asked.
struct TaskOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Tasks, separated by commas, each with its own number of examples after a colon if need be: piqa,mmlu:5. All: \(EvaluationTasks.registry.names.joined(separator: ", ")), and subjects of mmlu such as mmlu_anatomy.",
      valueName: "names"), completion: .list(EvaluationTasks.registry.names)) var tasks: TaskList?
  @Option(
    help:
      "A file with multiple-choice questions of your own: on each line an object with context, choices and answer (from 0); may be given several times.",
    completion: .file()) var tasksFile: [PathArgument] = []
  @Option(help: "Folder with the data of the tasks.", completion: .directory) var data:
    PathArgument?
  @Option(help: "Examples before each question (default: 0; 5 for mmlu).") var shots: Int?
  @Option(
    help: "Ask the first questions only, of mmlu those of each subject; with --seed, random ones.")
  var limit: Int?
  @Option(
    help: "Start of the random numbers by which examples are drawn, and questions with --limit.")
  var seed: UInt64?

  func validate() throws {
    guard tasks == nil || data != nil else {
      throw ValidationError(
        "--tasks needs --data: the folder with the data, whose layout Documentation/evaluation.md has."
      )
    }
    guard limit ?? 1 >= 1 else { throw ValidationError("--limit must be at least 1.") }
    guard 0...1_000 ~= shots ?? 0 else { throw ValidationError("--shots must be in 0…1000.") }
    var names: Set<String> = []
    for choice in choices where !names.insert(choice.task.name).inserted {
      throw ValidationError("the task \(choice.task.name) is named twice; once is enough.")
    }
  }

  /// The tasks with their numbers of examples.
  var choices: [EvaluationPlan.Choice] {
    (tasks?.choices ?? []).map { EvaluationPlan.Choice($0.task, shots: $0.shots ?? shots) }
      + tasksFile.map { EvaluationPlan.Choice(.own($0.path), shots: shots) }
  }

  /// Reads the questions.
  func plan() throws -> EvaluationPlan {
    try EvaluationPlan(
      choices, data: TaskData(data?.path ?? "."), limit: limit, seed: seed)
  }
}

/// Tasks by name, each with a number of examples if need be.
struct TaskList: ExpressibleByArgument {
  let choices: [EvaluationPlan.Choice]

  init?(argument: String) {
    var choices: [EvaluationPlan.Choice] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: ":", omittingEmptySubsequences: false)
      guard words.count <= 2, let task = EvaluationTasks.task(named: String(words[0])) else {
        return nil
      }
      let shots = words.count == 2 ? Int(words[1]) : nil
      guard words.count == 1 || 0...1_000 ~= shots ?? -1 else { return nil }
      choices.append(EvaluationPlan.Choice(task, shots: shots))
    }
    self.choices = choices
  }
}
