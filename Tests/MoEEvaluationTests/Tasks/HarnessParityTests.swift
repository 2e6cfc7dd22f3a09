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

  @Test("read six lines per question, whose contexts they reconstruct, and say so")
  func sixLines() throws {
    let folder = try TemporaryFolder()
    let bytes = try readBytes(HarnessFixture.data.path("six-lines/hellaswag_val_full.txt.bz2"))
    try folder.file("hellaswag").createFolders()
    _ = try folder.write(bytes, to: "hellaswag/hellaswag_val_full.txt.bz2")
    let task = try #require(EvaluationTasks.task(named: "hellaswag"))
    let part = try task.parts(in: TaskData(folder.path), shots: 0)[0]
    #expect(part.questions.count == 3 && part.note?.hasPrefix("reconstructed") == true)
    for question in part.questions {
      let context = question.requests()[0].context
      let fragment = try #require(HarnessText.parted(context, at: ". ", last: true)).after
      #expect(fragment == HarnessText.capitalizingFirst(fragment) && !fragment.isEmpty)
      #expect(question.choices.count == 4)
    }
    #expect(part.questions.map(\.line) == [1, 7, 13])
  }

  @Test("read rows as they are published and as Hugging Face's copies have them alike")
  func copies() throws {
    let folder = try TemporaryFolder()
    func requests(_ name: String, _ file: String, _ row: String) throws -> [TaskRequest] {
      let path = folder.file(file)
      try path.removingLastComponent().createFolders()
      _ = try folder.write(Array(row.utf8), to: file)
      let task = try #require(EvaluationTasks.task(named: name))
      return try task.parts(in: TaskData(folder.path), shots: 0)[0].questions[0].requests()
    }
    let choices = #""choices": {"text": ["x", "y z"], "label": ["A", "B"]}, "answerKey": "B""#
    let nested =
      #"{"question": {"stem": "s", "choices": [{"text": "x", "label": "A"}, {"text": "y z", "label": "B"}]}, "answerKey": "B"}"#
    let published = try requests("arc_easy", "arc_easy/test.jsonl", nested)
    #expect(
      try requests("arc_easy", "arc_easy/test.jsonl", "{\"question\": \"s\", \(choices)}")
        == published)
    #expect(published[1].continuation == " y z")
    let open = try requests("openbookqa", "openbookqa/test.jsonl", nested)
    #expect(
      try requests(
        "openbookqa", "openbookqa/test.jsonl", "{\"question_stem\": \"s\", \(choices)}") == open)
    let goal = #""goal": "g", "sol1": "x", "sol2": "y""#
    let rows = try requests("piqa", "piqa/valid.jsonl", "{\(goal), \"label\": 1}")
    _ = try folder.write(Array("1\n".utf8), to: "piqa/valid-labels.lst")
    #expect(try requests("piqa", "piqa/valid.jsonl", "{\(goal)}") == rows)
  }

  @Test("remove what brackets on one line hold from scenes, in linear time")
  func brackets() {
    let task = EvaluationTask.self
    #expect(task.cleaned(" [header] a [title] b  c [x] d") == " a. b c d")
    #expect(task.cleaned("a [b\nc] d [e") == "a [b\nc] d [e")
    #expect(task.cleaned("a [b [c] d] e") == "a d] e")
    let long = String(repeating: "[", count: 200_000)
    #expect(task.cleaned(long) == long)
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
