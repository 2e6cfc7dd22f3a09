public import MoECore

/// A data set with questions, how the harness words them, and what it measures.
///
/// The wording, the choice of examples and the metrics are those of lm-evaluation-harness 0.4.13, whose task of the same
/// name this is, unless its help or a note says what differs.
///
/// - SeeAlso: [lm-evaluation-harness](https://github.com/EleutherAI/lm-evaluation-harness/tree/main/lm_eval/tasks)
public struct EvaluationTask: NamedEntry {
  /// The harness's name.
  public let name: String
  /// One line about the data set.
  public let help: String
  /// What is measured, the primary metric first.
  public let metrics: [TaskMetric]
  /// Examples before a question where no other number is asked for.
  public let usualShots: Int
  /// Parts that are summed up together, by their names.
  let groups: [(name: String, parts: [String])]
  /// The questions of all parts, from a folder with data.
  let read: @Sendable (TaskData, _ needsExamples: Bool) throws -> [TaskPart]

  init(
    _ name: String, help: String, metrics: [TaskMetric], usualShots: Int = 0,
    groups: [(name: String, parts: [String])] = [],
    read: @escaping @Sendable (TaskData, Bool) throws -> [TaskPart]
  ) {
    (self.name, self.help, self.metrics) = (name, help, metrics)
    (self.usualShots, self.groups, self.read) = (usualShots, groups, read)
  }

  /// A task of one part.
  ///
  /// - Parameters:
  ///   - name: The name.
  ///   - help: One line about the data set.
  ///   - metrics: What is measured, the primary metric first.
  ///   - origin: Where the data come from.
  ///   - evaluation: Forms of the questions.
  ///   - training: Forms of the questions that examples are drawn from; `nil` to draw from the questions themselves.
  ///   - leavesOutOwn: Whether examples leave out a question that is equal to the one that is asked.
  init(
    _ name: String, help: String, metrics: [TaskMetric], origin: String,
    evaluation: [QuestionSource], training: [QuestionSource]?, leavesOutOwn: Bool
  ) {
    self.init(name, help: help, metrics: metrics) { data, needsExamples in
      let (questions, note) = try evaluation.questions(of: name, in: data, origin: origin)
      var pool: [TaskQuestion] = []
      if needsExamples {
        pool =
          try training?.questions(
            of: "examples of \(name)", in: data, origin: origin
          ).questions ?? questions
      }
      return [
        TaskPart(
          name: name, questions: questions,
          examples: TaskPart.Examples(pool, .drawn(leavesOutOwn: leavesOutOwn)), note: note)
      ]
    }
  }

  /// Reads the questions.
  ///
  /// - Parameters:
  ///   - data: The folder with the data.
  ///   - shots: Examples before each question.
  /// - Returns: One part, or one per subject.
  /// - Throws: ``TaskError``, `DataError` that names the line, or a `FileError`.
  func parts(in data: TaskData, shots: Int) throws -> [TaskPart] {
    try read(data, shots > 0)
  }
}

/// What is measured of the answers to questions.
public enum TaskMetric: String, Hashable, Codable, Sendable, CaseIterable {
  /// The fraction of questions whose right choice has the largest log-likelihood; the first of equal ones counts.
  case accuracy = "acc"
  /// The same, with log-likelihoods over the number of Unicode scalars of the choice.
  case normalizedAccuracy = "acc_norm"
  /// exp of the mean negative log-likelihood of what follows.
  case perplexity
}

/// The tasks that can be named.
public enum EvaluationTasks {
  /// The tasks by name: first the six by which QuantMoE-Bench compares.
  public static let registry = Registry<EvaluationTask>(
    "task",
    [
      .winogrande, .copa, .openBookQA, .hellaSwag, .piqa, .mmlu, .arcEasy, .arcChallenge, .boolQ,
      .lambada, .balancedCOPA,
    ])

  /// The task of a name: one of the registry, or a subject of MMLU, such as `mmlu_anatomy`.
  public static func task(named name: String) -> EvaluationTask? {
    if let task = registry[name] { return task }
    let prefix = "mmlu_"
    guard name.hasPrefix(prefix), case let subject = String(name.dropFirst(prefix.count)),
      MMLU.allSubjects.contains(subject)
    else { return nil }
    return .mmlu(subject)
  }
}
