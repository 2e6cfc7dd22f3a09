import Foundation
import MoECore

/// How a question was answered.
public struct TaskAnswer: Hashable, Codable, Sendable {
  /// The place of the question in the data set, from 0.
  public var place: Int
  /// The log-likelihood of each choice, in nats.
  public var logLikelihoods: [Double]
  /// Whether every token of a choice was the most likely one.
  public var areGreedy: [Bool]
  /// What was measured, in the order of the task's metrics: 0 or 1, or a log-likelihood for a perplexity.
  public var values: [Double]

  /// Judges an answer as the harness does.
  ///
  /// - Parameters:
  ///   - question: The question.
  ///   - place: Its place in the data set.
  ///   - logLikelihoods: That of each choice.
  ///   - areGreedy: Whether every token of a choice is the most likely one.
  ///   - metrics: What is measured.
  init(
    _ question: TaskQuestion, place: Int, logLikelihoods: [Double], areGreedy: [Bool],
    metrics: [TaskMetric]
  ) {
    (self.place, self.logLikelihoods) = (place, logLikelihoods)
    self.areGreedy = areGreedy
    values = metrics.map { metric in
      switch (metric, question.form) {
      case (.perplexity, _): logLikelihoods[0]
      case (.accuracy, .completion), (.normalizedAccuracy, .completion): areGreedy[0] ? 1 : 0
      case (.accuracy, _): Self.best(logLikelihoods) == question.answer ? 1 : 0
      case (.normalizedAccuracy, _):
        Self.best(
          zip(logLikelihoods, question.choices).map { $0 / Double($1.unicodeScalars.count) })
          == question.answer ? 1 : 0
      }
    }
  }

  /// The place of the first of the largest numbers.
  private static func best(_ values: [Double]) -> Int {
    values.indices.reduce(0) { values[$1] > values[$0] ? $1 : $0 }
  }
}

/// What one metric says about questions.
public struct TaskScore: Hashable, Codable, Sendable {
  /// The metric.
  public var metric: TaskMetric
  /// Its value: a fraction, or a perplexity, which may be infinite.
  @FiniteOrNull public var value: Double
  /// The standard error of the value; `nil` for fewer than two questions, or an infinite value.
  public var standardError: Double?

  /// Sums up the values of single questions.
  ///
  /// The error of a mean is the sample's standard deviation over the root of the number of questions, as in the harness;
  /// that of a perplexity follows from the error of the mean of its logarithm, where the harness draws samples.
  init(_ metric: TaskMetric, _ values: [Double]) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let error = values.count < 2 ? nil : (squares / (count - 1)).squareRoot() / count.squareRoot()
    guard metric == .perplexity else {
      self.init(metric: metric, value: mean, standardError: error)
      return
    }
    self.init(metric: metric, value: exp(-mean), standardError: error.map { $0 * exp(-mean) })
  }

  /// Joins the scores of parts, each weighted by its number of questions.
  ///
  /// - Parameters:
  ///   - metric: The metric, a mean.
  ///   - parts: The scores, with the numbers of questions.
  init(_ metric: TaskMetric, joining parts: [(score: TaskScore, count: Int)]) {
    let total = parts.reduce(0) { $0 + $1.count }
    let value = parts.reduce(0) { $0 + $1.score.value * Double($1.count) } / Double(total)
    // The variance within the parts, as the harness pools it.
    let spread = parts.reduce(0.0) { sum, part in
      let error = part.score.standardError ?? 0
      return sum + Double(part.count - 1) * error * error * Double(part.count)
    }
    let free = total - parts.count
    self.init(
      metric: metric, value: value,
      standardError: free > 0 ? (spread / Double(free) / Double(total)).squareRoot() : nil)
  }

  private init(metric: TaskMetric, value: Double, standardError: Double?) {
    (self.metric, self.value) = (metric, value)
    self.standardError = standardError.flatMap { $0.isFinite ? $0 : nil }
  }
}

/// What a model answered in one part of a task.
public struct TaskPartResult: Hashable, Codable, Sendable {
  /// The name of the part.
  public var name: String
  /// What was measured.
  public var scores: [TaskScore]
  /// The answers, in the order of the data set.
  public var answers: [TaskAnswer]
  /// Questions whose context was cut on the left.
  public var cutQuestions: Int

  init(
    _ name: String, _ metrics: [TaskMetric], _ answers: [TaskAnswer], cutQuestions: Int
  ) {
    (self.name, self.answers, self.cutQuestions) = (name, answers, cutQuestions)
    scores = metrics.enumerated().map { place, metric in
      TaskScore(metric, answers.map { $0.values[place] })
    }
  }
}

/// What a model answered in a task.
public struct TaskResult: Hashable, Codable, Sendable {
  /// Several parts together.
  public struct Group: Hashable, Codable, Sendable {
    /// The name.
    public var name: String
    /// Questions.
    public var questions: Int
    /// What was measured.
    public var scores: [TaskScore]
  }

  /// The name of the task.
  public var name: String
  /// Examples before each question.
  public var shots: Int
  /// What the data lack to be the harness's, if anything.
  public var note: String?
  /// What was measured over all questions, the primary metric first.
  public var scores: [TaskScore]
  /// Groups of parts, if the task has any.
  public var groups: [Group]
  /// The parts.
  public var parts: [TaskPartResult]

  /// The number of questions.
  public var questions: Int { parts.reduce(0) { $0 + $1.answers.count } }
  /// Questions whose context was cut on the left.
  public var cutQuestions: Int { parts.reduce(0) { $0 + $1.cutQuestions } }
  /// What the primary metric says.
  public var primary: TaskScore { scores[0] }

  init(_ entry: EvaluationPlan.Entry, _ parts: [TaskPartResult]) {
    (name, shots, self.parts) = (entry.task.name, entry.shots, parts)
    note = entry.parts.first?.part.note
    func joined(_ parts: [TaskPartResult]) -> [TaskScore] {
      entry.task.metrics.enumerated().map { place, metric in
        TaskScore(metric, joining: parts.map { ($0.scores[place], $0.answers.count) })
      }
    }
    scores = parts.count == 1 ? parts[0].scores : joined(parts)
    groups = entry.task.groups.compactMap { group in
      let members = parts.filter { group.parts.contains($0.name) }
      guard !members.isEmpty else { return nil }
      return Group(
        name: group.name, questions: members.reduce(0) { $0 + $1.answers.count },
        scores: joined(members))
    }
  }
}
