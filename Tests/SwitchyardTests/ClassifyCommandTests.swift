import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("switchyard classify", .serialized)
struct ClassifyCommandTests {
  private let folder: TemporaryFolder
  private var model: String { folder.file("out").appending("model").string }

  init() throws { folder = try TemporaryFolder() }

  /// News about two things, in the format of AG News, and a model that has read them.
  private func train() throws -> Program.Run {
    let rows = (0..<160).map { number in
      number.isMultiple(of: 2)
        ? "1,\"Talks \(number), again\",ministers met in town \(number)"
        : "2,Match \(number),the team \"won\" by \(number) goals".replacing("\"", with: "")
    }
    _ = try folder.write(Array(rows.joined(separator: "\n").utf8), to: "news.csv")
    let config = """
      {"task": "classification", "encoder": {"model_type": "bag", "hidden_size": 16},
       "tokenizer": {"size": 600}, "head": {"width": 8, "expert_size": 8},
       "data": {"format": "ag_news", "train": "news.csv", "test_share": 0.25, "max_length": 12},
       "training": {"steps": 40, "batch_size": 8}, "optimizer": {"learning_rate": 0.01}}
      """
    let path = try folder.write(Array(config.utf8), to: "config.json")
    return try Program.run(
      "train", path.string, "--out", folder.file("out").string, "--threads", "1")
  }

  /// Trains a model on a table of good and bad work.
  private func trainOnTable(
    encoder: String, width: Int, expertSize: Int, steps: Int, rate: Double
  ) throws {
    let rows = (0..<80).map {
      $0.isMultiple(of: 2) ? "good,fine work \($0) done" : "bad,it broke \($0) again"
    }
    _ = try folder.write(Array((["label,text"] + rows).joined(separator: "\n").utf8), to: "t.csv")
    let config = """
      {"task": "classification", "encoder": \(encoder),
       "tokenizer": {"size": 600}, "head": {"width": \(width), "expert_size": \(expertSize)},
       "data": {"format": "table", "train": "t.csv", "test": "t.csv"},
       "training": {"steps": \(steps), "batch_size": 8}, "optimizer": {"learning_rate": \(rate)}}
      """
    let path = try folder.write(Array(config.utf8), to: "config.json")
    let training = try Program.run(
      "train", path.string, "--out", folder.file("out").string, "--threads", "1")
    #expect(training.exitCode == 0, "\(training.errors)")
  }

  @Test("learns custom classes from a table")
  func ownClasses() throws {
    try trainOnTable(
      encoder: #"{"model_type": "bag", "hidden_size": 16}"#, width: 8, expertSize: 8, steps: 40,
      rate: 0.01)
    let one = try Program.run("classify", model, "it broke again")
    #expect(one.output.hasPrefix("bad ("), "\(one.output)\(one.errors)")
    let report = try Program.run("inspect", model, "--data", folder.file("t.csv").string)
    #expect(report.exitCode == 0 && report.output.contains("good"), "\(report.errors)")
  }

  /// The probabilities of an answer.
  private func probabilities(_ arguments: String...) throws -> [Double] {
    let run = try Program.run(["classify", model, "the team won by 3 goals", "--json"] + arguments)
    let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
    let found = try #require(object?["probabilities"] as? [String: Double], "\(run.errors)")
    return found.sorted { $0.key < $1.key }.map(\.value)
  }

  @Test("answers with quantized weights")
  func quantized() throws {
    try trainOnTable(
      encoder: """
        {"model_type": "bert", "hidden_size": 40, "num_hidden_layers": 2,
         "num_attention_heads": 2, "intermediate_size": 72}
        """, width: 48, expertSize: 40, steps: 3, rate: 0.001)

    let dense = try probabilities()
    func distance(_ found: [Double]) -> Double { zip(found, dense).map { abs($0 - $1) }.max() ?? 1 }
    let (eight, two) = (try probabilities("--quantize", "8"), try probabilities("--quantize", "2"))
    #expect(distance(eight) > 0 && distance(eight) < 0.01 && distance(two) > distance(eight))
    let mixed = try probabilities(
      "--quantize", "attention=3,dense=2,shared=6,router=8,experts=4g32s")
    #expect(distance(mixed) > 0 && mixed != two)
    for (map, code, word) in [
      ("9", 64, "2, 3, 4, 5, 6, 8 or 16"), ("head=4", 1, "no module of the kind 'head'"),
    ] {
      let run = try Program.run("classify", model, "a", "--quantize", map)
      #expect(run.exitCode == code && run.errors.contains(word), "\(run.errors)")
      #expect(run.output.isEmpty)
    }
  }

  @Test("answers for a text, for a file, and about labelled texts")
  func answers() throws {
    let training = try train()
    #expect(training.exitCode == 0, "\(training.errors)")
    #expect(training.errors.contains("accuracy") && training.errors.contains("were truncated"))

    let one = try Program.run("classify", model, "the team won by 3 goals")
    // The folder of the run stands for its model.
    let run = folder.file("out").string
    #expect(try Program.run("classify", run, "the team won by 3 goals").output == one.output)
    let described = try Program.run("inspect", run)
    #expect(
      described.output == (try Program.run("info", run).output)
        + "To see its experts: switchyard inspect \(run) --data PATH\n",
      "\(described.errors)")
    #expect(one.exitCode == 0 && one.output.hasPrefix("Sports ("), "\(one.output)\(one.errors)")
    #expect(one.output.contains("expert ") && one.output.contains("gate "))

    // Lines of another system.
    let file = try folder.write(
      Array("ministers met\r\n\r\n  \nthe team won\r\n".utf8), to: "texts.txt")
    let pairs = try folder.write(Array("a\nb\tc\n".utf8), to: "pairs.txt")
    let blank = try folder.write(Array(" \n\t\r\n\n".utf8), to: "blank.txt")
    let latin = try folder.write(Array("a\n".utf8) + [0xFF, 0x0A], to: "latin.txt")
    let all = try Program.run("classify", model, "--file", file.string, "--json")
    let lines = all.output.split(separator: "\n")
    #expect(all.exitCode == 0 && lines.count == 2, "\(all.errors)")
    for (line, text) in zip(lines, [(1, "ministers met"), (4, "the team won")]) {
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      #expect(object["label"] is String && (object["gate"] as? [Double])?.count == 2)
      #expect(object["line"] as? Int == text.0 && object["text"] as? String == text.1)
    }
    // Blank lines are skipped; one that only looks blank is named.
    let shown = try Program.run(
      ["classify", model, "--file", "-"], input: "ministers met\n\n\u{2060}\u{1}\nthe team won\n")
    let answers = shown.output.split(separator: "\n")
    #expect(answers.count >= 2 && answers.first?.hasPrefix("1: ") == true, "\(shown)")
    #expect(answers.last?.hasPrefix("4: Sports (") == true)
    #expect(answers.last?.hasSuffix(": the team won") == true)
    #expect(!one.output.contains("the team won"))

    let news = folder.file("news.csv").string
    let inspected = try Program.run("inspect", model, "--data", news, "--examples", "2")
    #expect(inspected.exitCode == 0, "\(inspected.errors)")
    for word in [
      "accuracy", "World", "Sports", "gru", "ms for one text", "precision", "recall",
      "predicted as",
    ] {
      #expect(inspected.output.contains(word), "\(inspected.output)")
    }
    let page = folder.file("page.html")
    let drawn = try Program.run(
      "inspect", run, "--data", news, "--against", run, "--html", page.string)
    #expect(drawn.exitCode == 0 && drawn.output.contains("figures in"), "\(drawn.errors)")
    let html = String(decoding: try readBytes(page), as: UTF8.self)
    #expect(html.contains("Which expert answers what") && html.contains("Sports"))
    let report = try Program.run("inspect", model, "--data", news, "--json")
    let object = try JSONSerialization.jsonObject(with: Data(report.output.utf8)) as? [String: Any]
    #expect(object?["texts"] as? Int == 160 && (object?["experts"] as? [Any])?.count == 2)
    // Two of the four classes have no texts, so nothing is known about them.
    let quality = try #require(object?["classes"] as? [String: Any])
    let confusion = try #require(quality["confusion"] as? [[Int]])
    #expect(
      confusion.map(\.count) == [4, 4, 4, 4] && confusion.flatMap(\.self).reduce(0, +) == 160)
    let classes = try #require(quality["classes"] as? [[String: Any]])
    #expect(classes.map { $0["actual"] as? Int } == [80, 80, 0, 0])
    #expect(classes[3]["recall"] is NSNull && classes[0]["recall"] is Double)
    #expect(inspected.output.contains("undefined") && html.contains("Confusion matrix"))

    let refused: [([String], String)] = [
      (["classify", model, ""], "empty"), (["classify", model], "either a text or --file"),
      (["classify", model, "a", "--file", "b"], "either a text or --file"),
      (["classify", model, "--file", news, "--pair", "a"], "--pair"),
      (["classify", folder.path.string, "a"], "no model"),
      (["classify", model, "a", "--pair", "b"], "is a pair, but the model reads single texts"),
      (["classify", model, "--file", pairs.string], "has on line 2 a pair"),
      (["classify", model, "--file", latin.string], "line 2 is not UTF-8"),
      (["classify", model, "--file", blank.string], "all its lines are blank"),
      (["inspect", model, "--data", news, "--format", "sst2"], "--format"),
      (["inspect", model, "--data", news, "--format", "imdb"], "--format"),
      (["inspect", model, "--data", file.string], "line 1"),
    ]
    for (arguments, word) in refused {
      let run = try Program.run(arguments)
      #expect(run.exitCode != 0 && run.errors.contains(word), "\(arguments): \(run.errors)")
    }
  }
}
