public import MoECore
public import MoEModels
public import MoETokenizers

/// Asks a model the questions of a plan.
public struct TaskRun {
  /// What is known of a part before it is asked.
  private struct Survey {
    /// Tokens that are read, which progress counts.
    var work = 0
    /// Questions whose context was cut on the left.
    var cutQuestions = 0
    /// What all requests begin with, without the place before the first scored token of any; `nil` before the first.
    var common: ArraySlice<Int>?

    mutating func add(_ requests: [EncodedRequest]) {
      work += PrefixTree(requests.map(\.inputs)).tokens
      if requests.contains(where: { $0.cut > 0 }) { cutQuestions += 1 }
      for request in requests {
        let own = request.tokens[..<(request.start - 1)]
        common = common.map { $0.prefix(zip($0, own).prefix { $0 == $1 }.count) } ?? own
      }
    }
  }

  let plan: EvaluationPlan
  private let encoder: RequestEncoder
  /// By task and part.
  private let surveys: [[Survey]]

  /// Checks that the model can be asked all questions, before its weights are read.
  ///
  /// - Parameters:
  ///   - plan: The questions.
  ///   - model: The model.
  ///   - tokenizer: Its tokenizer.
  ///   - progress: Receives the number of questions that were checked.
  /// - Throws: ``TaskError`` that names the file and the line.
  /// - Complexity: O(bytes of all requests).
  public init(
    _ plan: EvaluationPlan, _ model: StoredModel, _ tokenizer: Tokenizer,
    progress: ProgressHandler = { _ in }
  ) throws {
    self.plan = plan
    let encoder = RequestEncoder(model, tokenizer)
    self.encoder = encoder
    var checked = 0
    surveys = try plan.entries.map { entry in
      try entry.parts.map { part in
        try part.chosen.indices.reduce(into: Survey()) { survey, place in
          survey.add(try Self.encoded(place, of: part, encoder))
          checked += 1
          progress(Progress("reading questions", completed: checked, total: plan.questionCount))
        }
      }
    }
  }

  /// The tokens that stand before each text, such as a BOS token.
  public var leadingTokens: [Int] { encoder.leading }

  private static func encoded(
    _ place: Int, of part: EvaluationPlan.Part, _ encoder: RequestEncoder
  ) throws -> [EncodedRequest] {
    let question = part.question(place)
    return try part.requests(place).map { try encoder.encode($0, of: question) }
  }

  /// A part, what is known of it, and which answers an earlier run has given.
  private struct Job {
    let part: EvaluationPlan.Part
    let survey: Survey
    let known: (answers: [TaskAnswer], bytes: Int)
    /// Tokens that are left to read: answers that are known would not tell how long the rest takes.
    let work: Int

    init(
      _ part: EvaluationPlan.Part, _ survey: Survey, _ known: (answers: [TaskAnswer], bytes: Int)
    ) {
      (self.part, self.survey, self.known) = (part, survey, known)
      let answered = Double(known.answers.count) / Double(max(1, part.chosen.count))
      work = Int(Double(survey.work) * (1 - answered))
    }
  }

  /// Checks that answers of an earlier run are those to the questions of this one.
  ///
  /// - Throws: ``TaskError/otherRecords(_:line:problem:)`` or `FileError`.
  public func check(_ records: TaskRecords) throws {
    for entry in plan.entries {
      for part in entry.parts { _ = try records.answers(to: part, metrics: entry.task.metrics) }
    }
  }

  /// Asks all questions.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - records: Where answers are kept, and from where those of an earlier run are taken; `nil` to keep none.
  ///   - rows: The most tokens that are read in one pass, at least 1, which changes no digit; `nil` for as many as run at
  ///     full speed.
  ///   - progress: Receives the tokens that were read.
  /// - Returns: A result for each task.
  /// - Throws: `NonFiniteScores` when the model's scores mean nothing; ``TaskError`` or `FileError` for the records.
  /// - Complexity: A pass over every token of every request, as far as its question does not share it.
  public func results(
    of model: MoEDecoder, records: TaskRecords? = nil, rows: Int? = nil,
    progress: ProgressHandler = { _ in }
  ) throws -> [TaskResult] {
    let scorer = RequestScorer(model, rows: rows ?? MoEDecoder.usualRows)
    let jobs = try zip(plan.entries, surveys).map { entry, surveys in
      try zip(entry.parts, surveys).map { part, survey in
        try Job(
          part, survey, records?.answers(to: part, metrics: entry.task.metrics) ?? ([], 0))
      }
    }
    let total = jobs.joined().reduce(0) { $0 + $1.work }
    var before = 0
    return try zip(plan.entries, jobs).map { entry, jobs in
      let parts = try jobs.map { job in
        defer { before += job.work }
        return try result(of: job, entry.task.metrics, scorer, records) { fraction in
          progress(
            Progress(
              "asking \(job.part.name)", completed: before + Int(fraction * Double(job.work)),
              total: max(1, total)))
        }
      }
      return TaskResult(entry, parts)
    }
  }

  /// Asks the questions of a part that have no answer yet.
  private func result(
    of job: Job, _ metrics: [TaskMetric], _ scorer: RequestScorer, _ records: TaskRecords?,
    progress: (Double) -> Void
  ) throws -> TaskPartResult {
    let (part, survey, known) = (job.part, job.survey, job.known)
    let count = part.chosen.count
    var answers = known.answers
    let file = try records?.growing(part.name, after: known.bytes)
    if answers.count < count { scorer.begin(with: survey.common ?? []) }
    while answers.count < count {
      let batch = try batch(of: part, from: answers.count, scorer)
      let scores = try scorer.scores(of: batch.flatMap(\.self))
      var (taken, lines) = (0, "")
      for requests in batch {
        let answer = answer(
          part, answers.count, Array(scores[taken..<taken + requests.count]), metrics)
        taken += requests.count
        if file != nil {
          let record = TaskRecord(
            part.question(answers.count), part.requests(answers.count), answer, metrics: metrics)
          lines += try JSONText.line(record) + "\n"
        }
        answers.append(answer)
      }
      try file?.append(Array(lines.utf8))
      progress(
        Double(answers.count - known.answers.count) / Double(count - known.answers.count))
    }
    return TaskPartResult(part.name, metrics, answers, cutQuestions: survey.cutQuestions)
  }

  private func answer(
    _ part: EvaluationPlan.Part, _ place: Int, _ scores: [RequestScore], _ metrics: [TaskMetric]
  ) -> TaskAnswer {
    TaskAnswer(
      part.question(place), place: part.chosen[place],
      logLikelihoods: scores.map { Double($0.logLikelihood) }, areGreedy: scores.map(\.isGreedy),
      metrics: metrics)
  }

  /// The requests of as many questions as fill passes and leave room for their keys and values.
  private func batch(
    of part: EvaluationPlan.Part, from start: Int, _ scorer: RequestScorer
  ) throws -> [[EncodedRequest]] {
    var (batch, tokens, bytes) = ([[EncodedRequest]](), 0, 0)
    while start + batch.count < part.chosen.count, tokens < Self.batchTokens,
      bytes < scorer.cacheLimit
    {
      let requests = try Self.encoded(start + batch.count, of: part, encoder)
      tokens += scorer.work(of: requests)
      bytes += requests.reduce(0) { $0 + $1.tokens.count } * scorer.cacheBytes
      batch.append(requests)
    }
    return batch
  }

  /// Tokens of a batch: enough that the passes for what few questions have in common are worth it.
  private static let batchTokens = 2_048
}
