import Foundation
import MoECore
import MoEData
@testable import MoEEvaluation
import MoEModels
import MoETestSupport
import MoETokenizers
import SystemPackage
import Testing

@Suite("Answers that are kept")
struct TaskRunTests {
  private let folder: TemporaryFolder
  private let stored: StoredModel
  private let model: MoEDecoder
  private let run: TaskRun
  private static let names = ["piqa", "hellaswag", "mmlu_anatomy"]

  init() throws {
    folder = try TemporaryFolder()
    let found = try HarnessFixture.model()
    stored = found.stored
    model = try found.stored.decoder()
    run = try TaskRun(HarnessFixture.plan(Self.names), found.stored, found.tokenizer)
  }

  private func records(
    _ plan: EvaluationPlan? = nil, model: String = "m", resumes: Bool = true
  ) throws -> TaskRecords {
    let records = try TaskRecords(
      folder.file("out"), .init(plan ?? run.plan, model: model, weights: "w"), resumes: resumes)
    try records.open()
    return records
  }

  @Test("go on where an earlier run was killed, with the same results and files, byte for byte")
  func resumes() throws {
    let expected = try run.results(of: model, records: try records())
    let path = folder.file("out")
    let files = try Self.files(path)
    #expect(files.count == 4)
    for share in [0.0, 0.3, 0.77] {
      for (name, bytes) in files where name.hasPrefix("samples") {
        // A kill may leave part of a line.
        let part = Array(bytes.prefix(Int(share * Double(bytes.count))))
        try Data(part).write(to: URL(filePath: path.appending(name).string))
      }
      var asked = 0
      let found = try run.results(of: model, records: try records()) { _ in asked += 1 }
      #expect(found == expected && asked > 0)
      #expect(try Self.files(path) == files)
    }
    // Nothing is left to ask.
    var asked = 0
    #expect(try run.results(of: model, records: try records()) { _ in asked += 1 } == expected)
    #expect(asked == 0)
  }

  private static func files(_ path: FilePath) throws -> [String: [UInt8]] {
    let names = try FileManager.default.contentsOfDirectory(atPath: path.string)
    return Dictionary(
      uniqueKeysWithValues: try names.filter { $0 != "lock" }.map {
        ($0, try readBytes(path.appending($0)))
      })
  }

  @Test("may be checked without a change, and survive a kill at any place")
  func checks() throws {
    let out = folder.file("out")
    let settings = TaskRecords.Settings(run.plan, model: "m", weights: "w")
    let unopened = try TaskRecords(out, settings, resumes: false)
    try run.check(unopened)
    #expect(out.isMissing)
    let expected = try run.results(of: model, records: try records())
    let before = try Self.files(out)
    let path = out.appending("samples_piqa.jsonl")
    let whole = try readBytes(path)
    try Data(whole.dropLast(3)).write(to: URL(filePath: path.string))
    try run.check(TaskRecords(out, settings, resumes: true))
    #expect(try readBytes(path).count == whole.count - 3)
    // What an atomic file that was not finished leaves.
    try Data([1]).write(to: URL(filePath: out.appending(".x.partial").string))
    #expect(try run.results(of: model, records: try records()) == expected)
    var after = try Self.files(out)
    after[".x.partial"] = nil
    #expect(after == before)
    // Killed before it said what it was asked to do.
    let other = folder.file("other")
    try other.createFolders()
    for name in ["lock", ".settings.partial"] {
      try Data([1]).write(to: URL(filePath: other.appending(name).string))
    }
    try TaskRecords(other, settings, resumes: false).open()
    #expect(
      try EvaluationFolder(folder.path, resumes: true).records(of: "m", settings) as Any? != nil)
  }

  @Test("have the harness's fields, one object on a line")
  func fields() throws {
    _ = try run.results(of: model, records: try records())
    let text = String(decoding: try readBytes(folder.file("out/samples_piqa.jsonl")), as: UTF8.self)
    let lines = text.split(separator: "\n")
    #expect(lines.count == 6)
    for (place, line) in lines.enumerated() {
      guard case .object(let record) = try JSONValue(parsing: Array(line.utf8)) else {
        Issue.record("\(line)")
        continue
      }
      #expect(record["doc_id"] == .number(Double(place)))
      for key in [
        "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash",
        "prompt_hash", "target_hash", "acc", "acc_norm",
      ] { #expect(record[key] != nil, "\(key)") }
    }
  }

  @Test("are refused where they belong to something else")
  func otherRecords() throws {
    _ = try run.results(of: model, records: try records())
    func problem(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "none"
      } catch { return "\(error)" }
    }
    #expect(problem { _ = try records(model: "other") }.contains("differs in the model"))
    let shots = try HarnessFixture.plan(["piqa"], shots: 1)
    #expect(
      problem { _ = try records(shots) }
        .contains("differs in the number of examples of piqa: 0"))
    let limited = try HarnessFixture.plan(["piqa"], limit: 2)
    #expect(problem { _ = try records(limited) }.contains("differs in the limit: none"))
    #expect(problem { _ = try records(resumes: false) }.contains("already exists"))
    // Other tasks may be added.
    let more = try HarnessFixture.plan(["copa"])
    #expect(problem { _ = try records(more) } == "none")

    let path = folder.file("out/samples_piqa.jsonl")
    let text = String(decoding: try readBytes(path), as: UTF8.self)
    let changed = text.replacingOccurrences(of: "\"doc_id\":1,", with: "\"doc_id\":3,")
    try Data(changed.utf8).write(to: URL(filePath: path.string))
    #expect(
      problem { _ = try run.results(of: model, records: try records()) }
        .contains("line 2 is not an answer to the question of this place"))
    try Data("garbage\n".utf8).write(to: URL(filePath: path.string))
    #expect(
      problem { _ = try run.results(of: model, records: try records()) }
        .contains("line 1 is not an answer"))
    try Data("garbage".utf8).write(to: URL(filePath: folder.file("out/settings.json").string))
    #expect(problem { _ = try records() }.contains("does not say what an evaluation was asked"))
  }

  @Test("are the same however many tokens are read at a time")
  func rows() throws {
    let expected = try run.results(of: model)
    for rows in [1, 33] { #expect(try run.results(of: model, rows: rows) == expected) }
  }

  @Test("report progress that ends at all there is")
  func progress() throws {
    var last: MoECore.Progress?
    var before = 0
    _ = try run.results(of: model) {
      #expect($0.completed >= before && $0.completed <= $0.total)
      before = $0.completed
      last = $0
    }
    #expect(last?.completed == last?.total)
  }

  @Test("are to the first questions with a limit, and to random ones with a seed, too")
  func limits() throws {
    func chosen(_ limit: Int?, _ seed: UInt64?) throws -> [Int] {
      try EvaluationPlan(
        [.init(try #require(EvaluationTasks.task(named: "winogrande")))], data: HarnessFixture.data,
        limit: limit, seed: seed
      ).entries[0].parts[0].chosen
    }
    #expect(try chosen(nil, nil) == Array(0..<6) && chosen(3, nil) == [0, 1, 2])
    #expect(try chosen(30, nil) == Array(0..<6) && chosen(nil, 9) == Array(0..<6))
    let drawn = try chosen(3, 9)
    #expect(drawn.count == 3 && drawn == drawn.sorted() && drawn != [0, 1, 2])
    #expect(try chosen(3, 9) == drawn)
  }

  @Test("are refused to two tasks that ask the same part")
  func sameParts() throws {
    #expect(throws: TaskError.twice(part: "piqa")) {
      try HarnessFixture.plan(["piqa", "copa", "piqa"])
    }
  }

  @Test("write a perplexity that is too large for a number as null")
  func infinite() throws {
    let score = TaskScore(.perplexity, [-1_000, -2_000])
    #expect(score.value == .infinity && score.standardError == nil)
    let text = try JSONText.line(score)
    #expect(text == #"{"metric":"perplexity","value":null}"#)
    #expect(try JSONDecoder().decode(TaskScore.self, from: Data(text.utf8)) == score)
  }

  @Test("draw examples from a pool that repeats a question without asking for it")
  func repeatedQuestions() throws {
    func question(_ word: String) -> TaskQuestion {
      TaskQuestion(
        QuestionRow(path: "f", line: 1, fields: ["context": .string(word)]),
        .choices(context: word, choices: ["x", "y"]))
    }
    let pool = ["a", "a", "a", "b", "c"].map(question)
    let part = TaskPart(
      name: "p", questions: pool, examples: .init(pool, .drawn(leavesOutOwn: true)))
    let examples = try part.examples(of: [0, 1, 2, 3], shots: 2, seed: 1)
    for (place, drawn) in examples.enumerated() {
      #expect(drawn.count == 2 && Set(drawn).count == 2)
      #expect(drawn.allSatisfy { pool[$0].fields != pool[place].fields })
    }
    #expect(throws: TaskError.tooFewExamples(part: "p", wanted: 3, found: 2)) {
      try part.examples(of: [0], shots: 3, seed: 1)
    }
  }
}

@Suite("Paired comparisons")
struct PairedBootstrapTests {
  private static func result(_ name: String, _ values: [Double]) throws -> TaskResult {
    let answers = values.enumerated().map { place, value in
      var answer = TaskAnswer(
        TaskQuestion(
          .init(path: "f", line: 1, fields: [:]), .choices(context: "c", choices: ["a", "b"])),
        place: place, logLikelihoods: [0, -1], areGreedy: [false, false], metrics: [.accuracy])
      answer.values = [value]
      return answer
    }
    let plan = try HarnessFixture.plan(["winogrande"])
    var result = TaskResult(
      plan.entries[0], [TaskPartResult(name, [.accuracy], answers, cutQuestions: 0)])
    result.name = name
    return result
  }

  private static func differences(
    _ own: [[Double]], _ other: [[Double]], seed: UInt64 = 1
  ) throws -> [PairedDifference] {
    PairedBootstrap(resamples: 2_000, seed: seed).differences(
      of: ("b", try own.enumerated().map { try result("t\($0)", $1) }),
      from: ("a", try other.enumerated().map { try result("t\($0)", $1) }))
  }

  @Test("find what differs, and how surely")
  func finds() throws {
    let (good, bad) = (Array(repeating: 1.0, count: 40), Array(repeating: 0.0, count: 40))
    let sure = try Self.differences([good], [bad])
    #expect(sure.count == 1 && sure[0].difference == 1 && sure[0].lower == 1 && sure[0].upper == 1)
    #expect(
      sure[0].pValue < 0.001 && sure[0].pValue > 0 && sure[0].model == "b"
        && sure[0].reference == "a")
    let same = try Self.differences([good], [good])
    #expect(same[0].difference == 0 && same[0].pValue == 1)
    let mixed = (0..<400).map { Double($0 % 3 == 0 ? 1 : 0) }
    let shifted = (0..<400).map { Double($0 % 3 == 1 || $0 % 20 == 0 ? 1 : 0) }
    let found = try Self.differences([shifted], [mixed])[0]
    #expect(found.lower < found.difference && found.difference < found.upper)
    // The normal approximation: 1.96 standard errors of the mean of the differences.
    let values = zip(shifted, mixed).map { $0 - $1 }
    let mean = values.reduce(0, +) / 400
    let error = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 399 / 400).squareRoot()
    #expect(abs(found.upper - found.lower - 2 * 1.96 * error) < 0.15 * 4 * error)
    #expect(abs(found.difference - mean) < 1e-12)
  }

  @Test("compare the mean over tasks, each of which counts once, and give the same twice")
  func means() throws {
    let (good, bad) = (Array(repeating: 1.0, count: 10), Array(repeating: 0.0, count: 90))
    let own = [good, bad], other = [Array(repeating: 0.0, count: 10), bad]
    let found = try Self.differences(own, other)
    #expect(found.map(\.task) == ["t0", "t1", nil])
    #expect(found[2].difference == 0.5 && found[2].lower == 0.5)
    #expect(try Self.differences(own, other) == found)
  }
}
