import ArgumentParser
import MoECore
import MoEEvaluation
import SystemPackage

/// Which questions are asked.
struct TaskOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Tasks, separated by commas, each with its own number of examples after a colon if need be: piqa,mmlu:5. All: \(EvaluationTasks.registry.names.joined(separator: ", ")), and subjects of mmlu such as mmlu_anatomy.",
      valueName: "names"), completion: .list(EvaluationTasks.registry.names),
    transform: TaskOptions.choices) var tasks: [EvaluationPlan.Choice]?
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

  /// The most examples before a question.
  private static let mostShots = 1_000

  func validate() throws {
    guard tasks == nil || data != nil else {
      throw ValidationError(
        "--tasks needs --data: the folder with the data, whose layout Documentation/evaluation.md has."
      )
    }
    guard tasks != nil || data == nil else {
      throw ValidationError("--data needs --tasks: the tasks whose data it holds.")
    }
    guard !choices.isEmpty || shots == nil && limit == nil && seed == nil else {
      throw ValidationError("--shots, --limit and --seed need --tasks or --tasks-file.")
    }
    guard limit ?? 1 >= 1 else { throw ValidationError("--limit must be at least 1.") }
    guard 0...Self.mostShots ~= shots ?? 0 else {
      throw ValidationError("--shots is \(shots ?? 0); it must be in 0…\(Self.mostShots).")
    }
    var names: Set<String> = []
    for choice in choices where !names.insert(choice.task.name).inserted {
      throw ValidationError(
        "two tasks are named \(choice.task.name.printable); name each once, and rename files that are called alike."
      )
    }
  }

  /// The tasks of a list of names, each with a number of examples if need be.
  private static func choices(_ text: String) throws -> [EvaluationPlan.Choice] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
      let words = part.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        .map(String.init)
      guard let task = EvaluationTasks.task(named: words[0]) else {
        let near = EvaluationTasks.registry.names.nearest(to: words[0])
        throw ValidationError(
          "--tasks names '\(words[0].printableValue)', which is not a task; did you mean '\(near ?? "")'? 'switchyard help evaluate' lists them."
        )
      }
      guard words.count == 2 else { return EvaluationPlan.Choice(task) }
      guard let shots = Int(words[1]), 0...mostShots ~= shots else {
        throw ValidationError(
          "--tasks has '\(part.description.printableValue)'; after the colon stands a number of examples in 0…\(mostShots)."
        )
      }
      return EvaluationPlan.Choice(task, shots: shots)
    }
  }

  /// The tasks with their numbers of examples.
  var choices: [EvaluationPlan.Choice] {
    (tasks ?? []).map { EvaluationPlan.Choice($0.task, shots: $0.shots ?? shots) }
      + tasksFile.map { EvaluationPlan.Choice(.own($0.path), shots: shots) }
  }

  /// Reads the questions.
  func plan() throws -> EvaluationPlan {
    let own = try tasksFile.map { file in
      let isInput = file.path == StandardInput.name
      return EvaluationPlan.Choice(
        .own(try StandardInput.file(for: file.path), name: isInput ? "input" : nil), shots: shots)
    }
    return try EvaluationPlan(
      choices.dropLast(own.count) + own, data: TaskData(data?.path ?? "."), limit: limit,
      seed: seed)
  }
}
