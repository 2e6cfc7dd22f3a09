import Foundation
import MoECore
@testable import MoEEvaluation
import MoEModels
import MoETestSupport
import MoETokenizers
import SystemPackage
import Testing

/// What the harness says, from `Tests/Fixtures/make/evaluation`.
struct HarnessFixture: Decodable {
  struct Question: Decodable {
    var requests: [[String]]
    var scores: [Double]
    var greedy: [Bool]
    var acc: Double
    var acc_norm: Double?
    var hashes: [String]
  }
  struct Task: Decodable {
    var questions: [Question]
    var measures: [String: Double]
  }
  struct Rolling: Decodable {
    var log_likelihood: Double
    var bytes: Int
    var words: Int
  }
  var shots: [String: [String: Task]]
  var rolling: Rolling

  static let folder = Fixtures.path("evaluation")
  static let data = TaskData(folder.appending("data"))

  static func read() throws -> HarnessFixture {
    try MappedFile(folder.appending("expected.json")).json(HarnessFixture.self)
  }

  static func model() throws -> (stored: StoredModel, tokenizer: Tokenizer) {
    let stored = try StoredModel(folder.appending("model"))
    return (stored, try stored.checkedTokenizer())
  }

  static func plan(_ names: [String], shots: Int = 0, limit: Int? = nil) throws -> EvaluationPlan {
    try EvaluationPlan(
      names.map {
        EvaluationPlan.Choice(try #require(EvaluationTasks.task(named: $0)), shots: shots)
      },
      data: data, limit: limit)
  }
}

@Suite("Tasks beside the harness")
struct HarnessParityTests {
  private static let names = [
    "winogrande", "copa", "openbookqa", "arc_easy", "hellaswag", "piqa", "boolq", "lambada",
    "mmlu_anatomy", "mmlu_us_foreign_policy",
  ]

  @Test(
    "have its requests, letter by letter, its scores, its measures and its hashes",
    arguments: [0, 2])
  func tasks(shots: Int) throws {
    let expected = try #require(HarnessFixture.read().shots["\(shots)"])
    let (stored, tokenizer) = try HarnessFixture.model()
    let plan = try HarnessFixture.plan(Self.names, shots: shots)
    let run = try TaskRun(plan, stored, tokenizer)
    let results = try run.results(of: stored.decoder())
    for (entry, result) in zip(plan.entries, results) {
      let task = try #require(expected[entry.task.name])
      let part = entry.parts[0]
      #expect(task.questions.count == part.chosen.count)
      for (place, question) in task.questions.enumerated() {
        let requests = part.requests(place)
        #expect(
          requests.map { [$0.context, $0.continuation] } == question.requests,
          "\(result.name) \(place)")
        let answer = result.parts[0].answers[place]
        for (found, score) in zip(answer.logLikelihoods, question.scores) {
          #expect(abs(found - score) < 1e-4, "\(result.name) \(place)")
        }
        #expect(answer.areGreedy == question.greedy)
        let record = TaskRecord(
          part.part.questions[place], requests, answer, metrics: entry.task.metrics)
        #expect(record.acc == question.acc && record.accNorm == question.acc_norm)
        #expect([record.promptHash, record.targetHash] == Array(question.hashes.dropFirst()))
        if ["winogrande", "copa", "piqa"].contains(result.name) || result.name.hasPrefix("mmlu") {
          #expect(record.docHash == question.hashes[0], "\(result.name)")
        }
      }
      for score in result.scores {
        let value = try #require(task.measures[score.metric.rawValue])
        #expect(abs(score.value - value) <= 1e-4 * max(1, value))
        guard score.metric != .perplexity else { continue }
        let error = try #require(task.measures[score.metric.rawValue + "_stderr"])
        #expect(abs((score.standardError ?? 0) - error) < 1e-12, "\(result.name)")
      }
    }
  }

  @Test("cut contexts on the left that the model has no room for, and say so")
  func cut() throws {
    let (stored, tokenizer) = try HarnessFixture.model()
    let plan = try HarnessFixture.plan(["mmlu_anatomy"], shots: 2)
    let result = try TaskRun(plan, stored, tokenizer).results(of: stored.decoder())[0]
    #expect(result.cutQuestions == 3)
    let report = EvaluationReport(
      [.init(name: "m", path: "p", leadingTokens: [], results: [result])], plan)
    #expect(
      report.notes == [
        "m: 3 questions of mmlu_anatomy truncated on the left to its context"
      ])
  }

  @Test("have the error of a perplexity that drawing samples gives, to a third of it")
  func perplexityError() throws {
    let task = try #require(HarnessFixture.read().shots["0"]?["lambada"])
    let score = TaskScore(.perplexity, task.questions.map { $0.scores[0] })
    let drawn = try #require(task.measures["perplexity_stderr"])
    #expect(abs((score.standardError ?? 0) / drawn - 1) < 0.35)
  }

  @Test("roll over a text as it does, per token, word and byte")
  func rolling() throws {
    let expected = try HarnessFixture.read().rolling
    let (stored, tokenizer) = try HarnessFixture.model()
    let content = try String(
      contentsOfFile: HarnessFixture.data.path("text.txt").string, encoding: .utf8)
    let text = try PerplexityText(content, for: stored, tokenizer, by: .lmEval)
    let found = try Perplexity.measure(
      stored.decoder(), text,
      Perplexity.Settings(
        .lmEval, context: PerplexityProtocol.lmEval.usualContext(limit: 128)))
    #expect(abs(found.negativeLogLikelihood + expected.log_likelihood) < 1e-2)
    #expect(text.words == expected.words && text.bytes == expected.bytes)
    #expect(found.scoredTokens == text.tokens.count)
    let rate = -expected.log_likelihood
    #expect(
      abs((found.wordPerplexity ?? 0) / exp(rate / Double(expected.words)) - 1) < 1e-4)
    #expect(abs((found.bytePerplexity ?? 0) / exp(rate / Double(expected.bytes)) - 1) < 1e-4)
    #expect(abs((found.bitsPerByte ?? 0) - rate / Double(expected.bytes) / log(2)) < 1e-4)
  }
}
