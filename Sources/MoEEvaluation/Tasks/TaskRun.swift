public import MoECore
public import MoEModels
public import MoETokenizers

/// Asks a model the questions of a plan.
public struct TaskRun {
  /// The questions.
  public let plan: EvaluationPlan
  private let encoder: RequestEncoder
  /// Tokens that are scored or read, by part, which is the work that progress counts.
  private let work: [[Int]]

  /// Checks that the model can be asked all questions, before its weights are read.
  ///
  /// - Parameters:
  ///   - plan: The questions.
  ///   - model: The model.
  ///   - tokenizer: Its tokenizer.
  ///   - progress: Receives the number of questions that were checked.
  /// - Throws: ``TaskError`` that names the file and the line.
  public init(
    _ plan: EvaluationPlan, _ model: StoredModel, _ tokenizer: Tokenizer,
    progress: ProgressHandler = { _ in }
  ) throws {
    self.plan = plan
    let encoder = RequestEncoder(model, tokenizer)
    self.encoder = encoder
    var checked = 0
    work = try plan.entries.map { entry in
      try entry.parts.map { part in
        try part.chosen.indices.reduce(0) { sum, place in
          let requests = try Self.encoded(place, of: part, encoder)
          checked += 1
          progress(Progress("reading questions", completed: checked, total: plan.questionCount))
          return sum + PrefixTree(requests.map(\.inputs)).tokens
        }
      }
    }
  }

  /// The tokens that stand before each text.
  public var beginning: [Int] { encoder.beginning }

  private static func encoded(
    _ place: Int, of part: EvaluationPlan.Part, _ encoder: RequestEncoder
  ) throws -> [EncodedRequest] {
    let question = part.part.questions[part.chosen[place]]
    return try part.requests(place).map { try encoder.encode($0, of: question) }
  }

  /// Asks all questions.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - records: Where answers are kept, and from where those of an earlier run are taken; `nil` to keep none.
  ///   - rows: The most tokens that are read in one pass, which changes no digit.
  ///   - progress: Receives the tokens that were read or scored.
  /// - Returns: A result for each task.
  /// - Throws: `NonFiniteScores` when the model's scores mean nothing; ``TaskError`` or `FileError` for the records.
  public func results(
    of model: MoEDecoder, records: TaskRecords? = nil, rows: Int? = nil,
    progress: ProgressHandler = { _ in }
  ) throws -> [TaskResult] {
    let scorer = RequestScorer(model, rows: rows ?? RequestScorer.usualRows)
    let total = work.joined().reduce(0, +)
    var done = 0
    return try zip(plan.entries, work).map { entry, work in
      let parts = try zip(entry.parts, work).map { part, work in
        let before = done
        let result = try answers(to: part, of: entry, scorer, records) { share in
          done = before + Int(share * Double(work))
          progress(Progress("asking \(part.part.name)", completed: done, total: total))
        }
        done = before + work
        return result
      }
      return TaskResult(entry, parts)
    }
  }

  /// Asks the questions of a part that have no answer yet.
  private func answers(
    to part: EvaluationPlan.Part, of entry: EvaluationPlan.Entry, _ scorer: RequestScorer,
    _ records: TaskRecords?, progress: (Double) -> Void
  ) throws -> TaskPartResult {
    let metrics = entry.task.metrics
    let requests = try part.chosen.indices.map { try Self.encoded($0, of: part, encoder) }
    let cut = requests.count { $0.contains { $0.cut > 0 } }
    var answers = try records?.answers(to: part, metrics: metrics) ?? []
    let file = try records?.growing(part.part.name)
    let common = scorer.commonTokens(of: requests.flatMap(\.self))
    if answers.count < requests.count { scorer.begin(with: common) }
    while answers.count < requests.count {
      let places = batch(requests, from: answers.count, scorer, after: common.count)
      let scores = try scorer.scores(of: requests[places].flatMap(\.self))
      var taken = 0
      var lines = ""
      for place in places {
        let question = part.part.questions[part.chosen[place]]
        let own = scores[taken..<taken + requests[place].count]
        taken += own.count
        let answer = TaskAnswer(
          question, place: part.chosen[place],
          logLikelihoods: own.map { Double($0.logLikelihood) }, areGreedy: own.map(\.isGreedy),
          metrics: metrics)
        answers.append(answer)
        if file != nil {
          lines +=
            try JSONText.line(
              TaskRecord(question, part.requests(place), answer, metrics: metrics)) + "\n"
        }
      }
      try file?.append(Array(lines.utf8))
      progress(Double(answers.count) / Double(requests.count))
    }
    return TaskPartResult(part.part.name, metrics, answers, cutQuestions: cut)
  }

  /// As many questions as fill passes and leave room for their keys and values.
  private func batch(
    _ requests: [[EncodedRequest]], from start: Int, _ scorer: RequestScorer, after common: Int
  ) -> Range<Int> {
    var (end, tokens, kept) = (start, 0, 0)
    while end < requests.count {
      let all = requests[end].reduce(0) { $0 + $1.tokens.count }
      let bytes = all * scorer.cacheBytes
      guard end == start || tokens < Self.batchTokens && kept + bytes <= RequestScorer.cacheLimit
      else { break }
      tokens += scorer.work(of: requests[end], after: common)
      kept += bytes
      end += 1
    }
    return start..<end
  }

  /// Tokens of a batch: enough that the passes for what few questions have in common are worth it.
  private static let batchTokens = 2_048
}
