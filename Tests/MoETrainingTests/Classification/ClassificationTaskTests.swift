@testable import MoEData
import MoETokenizers
import Foundation
import MoECore
import MoEEvaluation
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@testable import MoETraining

/// Small models on the synthetic task.
private struct Toy {
  enum Encoder: String {
    case bag = #"{"model_type": "bag", "hidden_size": 64}"#
    case transformer =
      #"{"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 24}"#
  }

  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func configuration(
    _ encoder: Encoder, _ kinds: [ExpertKind], steps: Int, seed: Int = 0, more: String = "",
    settings: [String] = []
  ) throws -> TrainingConfiguration {
    let names = kinds.map { "\"\($0.name)\"" }.joined(separator: ", ")
    let text = """
      {"task": "classification", "encoder": \(encoder.rawValue),
       "head": {"experts": [\(names)], "width": 32, "expert_size": 32},
       "data": {"format": "synthetic", "train_samples": 2000, "test_samples": 400},
       "training": {"steps": \(steps), "batch_size": 16, "seed": \(seed)},
       "optimizer": {"learning_rate": 2e-3, "beta2": 0.999, "weight_decay": 0.01},
       "schedule": {"decay": "constant", "warmup_steps": 0}\(more)}
      """
    return try TrainingConfiguration(
      try folder.write(Array(text.utf8), to: "toy.json"), settings: settings)
  }

  /// Trains and measures.
  func results(_ configuration: TrainingConfiguration, in name: String) throws -> [String: Double] {
    let run = try TrainingRun(configuration, in: folder.file(name), resumes: false)
    var found: [String: Double] = [:]
    _ = try run.run(observer: { event in
      if case .evaluated(let values, _) = event {
        for value in values { found[value.name] = value.value }
      }
    })
    return found
  }
}

@Suite("Training for classes and scores")
struct ClassificationTaskTests {
  @Test("teaches a bag of words the topics, and only recurrent experts the order of events")
  func bag() throws {
    let toy = try Toy()
    let hecto = try toy.results(
      toy.configuration(.bag, [.feedForward, .recurrent], steps: 400), in: "hecto")
    let forward = try toy.results(
      toy.configuration(.bag, [.feedForward, .feedForward], steps: 400), in: "ff")
    #expect(try #require(hecto["accuracy"]) > 0.95)
    #expect(try #require(hecto["kind_information"]) > 0.4)
    #expect(try #require(forward["accuracy_static"]) > 0.95)
    // A quarter by chance: the order is not in what these experts see.
    let temporal = try #require(forward["accuracy_temporal"])
    #expect(0.1...0.4 ~= temporal, "\(temporal)")
    #expect(try #require(hecto["accuracy_temporal"]) > 0.9)
  }

  @Test("writes a model folder that opens and predicts as in training")
  func opens() throws {
    let toy = try Toy()
    let found = try toy.results(
      toy.configuration(.transformer, [.feedForward, .recurrent, .recurrent], steps: 60), in: "run")
    let folder = toy.folder.file("run").appending("model")
    #expect(try ModelLocation(folder).kind is TextClassifiers.Type)
    let model = try TextClassifier.open(folder)
    let preparation = TextPreparation(
      try Tokenizer(folder), limit: model.configuration.maximumLength)
    let texts = SyntheticTexts.make(400, seed: 1)
    let set = try ClassificationSet(texts, with: preparation)
    let predictions = try model.predict(set.tokens)
    let evaluation = ClassificationEvaluation(model.configuration, set, predictions)
    let accuracy = try #require(evaluation.classes?.accuracy)
    #expect(abs(accuracy - (try #require(found["accuracy"]))) < 0.011)
    #expect(predictions.allSatisfy { abs($0.gate.reduce(0, +) - 1) < 1e-5 })
    let routing = toy.folder.file("run").appending("evaluations").appending("step-00000060")
    let predicted = try SeparatedValues(
      path: routing.appending("predictions.csv"), format: .commas
    ).rows().map(\.values)
    #expect(predicted[0] == ["line", "actual", "predicted", "expert", "gate", "text"])
    #expect(predicted.dropFirst().map { $0[5] } == texts.texts.map(\.first))
    #expect(predicted.dropFirst().map { $0[0] } == texts.texts.map { "\($0.line)" })
    #expect(try readBytes(routing.appending("routing.csv")).count > 50)
  }

  @Test("is the same when each weight is updated immediately")
  func fusedUpdates() throws {
    let toy = try Toy()
    func losses(_ name: String, _ settings: String) throws -> [Double] {
      let configuration = try toy.configuration(
        .transformer, [.feedForward, .recurrent], steps: 4, more: #", "losses": {"balance": 0.1}"#,
        settings: [settings, "head.dropout=0.3", "training.clip=0.5"])
      var losses: [Double] = []
      let run = try TrainingRun(configuration, in: toy.folder.file(name), resumes: false)
      _ = try run.run(observer: {
        if case .step(let metrics) = $0 { losses.append(metrics.loss) }
      })
      return losses
    }
    let plain = try losses("plain", "training.fused_update=false")
    #expect(try losses("fused", "training.fused_update=true") == plain && plain.count == 4)
  }

  @Test("continues with the same losses after a stop")
  func resumes() throws {
    let toy = try Toy()
    func losses(_ name: String, stoppingAt stop: Int?) throws -> [Double] {
      let configuration = try toy.configuration(.bag, [.feedForward, .recurrent], steps: 12)
      var losses: [Double] = []
      for resumes in stop == nil ? [false] : [false, true] {
        let run = try TrainingRun(
          configuration, in: toy.folder.file(name), resumes: resumes)
        #expect(!run.notices.contains { $0.contains("nothing to resume") })
        _ = try run.run(shouldStop: { !resumes && losses.count == stop }) { event in
          if case .step(let metrics) = event { losses.append(metrics.loss) }
        }
      }
      return losses
    }
    #expect(try losses("whole", stoppingAt: nil) == losses("parts", stoppingAt: 5))
  }

  @Test("says that there is nothing to continue where there is no checkpoint")
  func nothingToResume() throws {
    let toy = try Toy()
    let configuration = try toy.configuration(.bag, [.feedForward], steps: 12)
    func notices(_ resumes: Bool) throws -> [String] {
      try TrainingRun(configuration, in: toy.folder.file("run"), resumes: resumes).notices
    }
    // A run that never made a step leaves no checkpoint either.
    for _ in 0..<2 { #expect(try notices(true).contains { $0.contains("nothing to resume") }) }
    #expect(try !notices(false).contains { $0.contains("resume") })
  }

  @Test("never changes a frozen encoder, and reuses its states")
  func frozen() throws {
    let toy = try Toy()
    let encoder = Fixtures.path("encoders").appending("bert")
    // The fixture has no tokenizer; the synthetic one's tokens fit its vocabulary.
    for name in ["config.json", "model.safetensors"] {
      _ = try toy.folder.write(try readBytes(encoder.appending(name)), to: name)
    }
    _ = try toy.folder.write(try SyntheticTexts.tokenizerJSON(), to: "tokenizer.json")
    let text = """
      {"task": "classification",
       "encoder": {"path": ".", "frozen": true, "pooling": "mean", "cache": "states"},
       "head": {"width": 24, "expert_size": 16}, "data": {"format": "synthetic",
       "train_samples": 200, "test_samples": 50, "max_length": 24},
       "training": {"steps": 20, "batch_size": 16}, "optimizer": {"learning_rate": 5e-3}}
      """
    let path = try toy.folder.write(Array(text.utf8), to: "toy.json")
    let first = try toy.results(TrainingConfiguration(path), in: "first")
    let states = toy.folder.file("states")
    let made = try FileManager.default.contentsOfDirectory(atPath: states.string)
    #expect(made.count == 2 && made.allSatisfy { $0.hasSuffix(".safetensors") })
    let second = try toy.results(TrainingConfiguration(path), in: "second")
    #expect(first == second)
    let again = try FileManager.default.contentsOfDirectory(atPath: states.string)
    #expect(again.sorted() == made.sorted())
    let before = try SafetensorsFile(toy.folder.file("model.safetensors"))
    let after = try SafetensorsFile(
      toy.folder.file("first").appending("model").appending("model.safetensors"))
    for entry in before.header.entries where after.contains("encoder." + entry.name) {
      expectClose(
        try after.tensor(named: "encoder." + entry.name), try before.tensor(named: entry.name),
        .exact)
    }
    // States from the file are those of the encoder, except for their f16 type.
    let model = try TextClassifier.open(toy.folder.file("first").appending("model"))
    let preparation = TextPreparation(try Tokenizer(toy.folder.path), limit: 24)
    let set = try ClassificationSet(SyntheticTexts.make(50, seed: 1), with: preparation)
    let file = try #require(
      made.first { name in
        let lengths = try? SafetensorsFile(states.appending(name)).tensor(named: "lengths")
        return lengths?.count == 50
      })
    let stored = try EncodedStates(
      states.appending(file), lengths: set.tokens.map(\.ids.count))
    let (views, live) = (
      stored.views([3, 1], dtype: .f32, on: .cpu), model.encoder([set.tokens[3], set.tokens[1]])
    )
    expectClose(views.pooled, live.pooled, .sums)
    expectClose(views.sequence.rows, live.sequence.rows, Tolerance(relative: 1e-3, absolute: 1e-3))
  }

  @Test("predicts scores by their position in the range")
  func scores() throws {
    let toy = try Toy()
    var rows = ""
    for text in SyntheticTexts.make(120, seed: 4).texts {
      rows += "g\tf\ty\t0\t\(text.label).5\t\(text.first)\t\(text.first)\n"
    }
    _ = try toy.folder.write(Array(rows.utf8), to: "pairs.tsv")
    let path = try toy.folder.write(try SyntheticTexts.tokenizerJSON(), to: "tokenizer.json")
    let text = """
      {"task": "classification", "encoder": \(Toy.Encoder.bag.rawValue),
       "tokenizer": {"path": "\(path)"}, "head": {"width": 16, "expert_size": 16},
       "data": {"format": "stsb", "train": "pairs.tsv", "test_share": 0.25},
       "training": {"steps": 30, "batch_size": 16}, "optimizer": {"learning_rate": 5e-3}}
      """
    let configuration = try TrainingConfiguration(
      toy.folder.write(Array(text.utf8), to: "toy.json"))
    let found = try toy.results(configuration, in: "run")
    #expect(found["mean_squared_error"] != nil && found["accuracy"] == nil)
    #expect(-1...1 ~= (try #require(found["pearson"])))
    let folder = toy.folder.file("run").appending("model")
    let model = try TextClassifier.open(folder)
    #expect(model.configuration.target == .score(0...5) && model.configuration.readsPairs)
    let preparation = TextPreparation(try Tokenizer(folder), limit: 64)
    let prepared = try #require(preparation("rain cloud", "rain"))
    #expect(try model.predict([prepared.text])[0].score?.isFinite == true)
  }

  @Test("a model of questions with facts is inspected with facts, and against another model")
  func facts() throws {
    let toy = try Toy()
    // The question says nothing; the fact determines the class.
    let records = (0..<80).map { number in
      let (type, fact) =
        number.isMultiple(of: 2) ? ("bridge", "rain storm") : ("comparison", "soup salt")
      return
        #"{"question": "was there", "type": "\#(type)", "supporting_facts": [["T", 0]], "context": [["T", ["\#(fact)"]]]}"#
    }
    let data = try toy.folder.write(Array(records.joined(separator: "\n").utf8), to: "q.jsonl")
    let tokenizer = try toy.folder.write(try SyntheticTexts.tokenizerJSON(), to: "tokenizer.json")
    let text = """
      {"task": "classification", "encoder": \(Toy.Encoder.bag.rawValue),
       "tokenizer": {"path": "\(tokenizer)"}, "head": {"width": 16, "expert_size": 16},
       "data": {"format": "hotpotqa", "train": "q.jsonl", "test": "q.jsonl", "supporting_facts": true},
       "training": {"steps": 30, "batch_size": 16}, "optimizer": {"learning_rate": 2e-2}}
      """
    let path = try toy.folder.write(Array(text.utf8), to: "toy.json")
    let found = try toy.results(TrainingConfiguration(path), in: "run")
    let other = try toy.results(
      TrainingConfiguration(path, settings: [#"head.experts=["gru", "ff"]"#]), in: "other")
    #expect(found["accuracy"] == 1 && other["accuracy"] == 1)
    let model = toy.folder.file("run").appending("model")
    let report = try ClassifierReport(of: model, on: data, against: model)
    let values = Dictionary(uniqueKeysWithValues: report.values.map { ($0.name, $0.value) })
    #expect(values["accuracy"] == 1 && values["same_expert"] == 1)
    #expect(values["same_expert_renamed"] == nil)
    #expect(throws: SettingError.self) {
      _ = try ClassifierReport(
        of: model, on: data, against: toy.folder.file("other").appending("model"))
    }
  }

  @Test("leaves no folder behind when a run cannot start, and warns of a test set of one class")
  func beginnings() throws {
    let toy = try Toy()
    func train(_ rows: String, settings: [String] = []) throws -> TrainingRun {
      _ = try toy.folder.write(Array(rows.utf8), to: "train.csv")
      _ = try toy.folder.write(Array("1,rain\n1,cloud\n".utf8), to: "test.csv")
      let tokenizer = try toy.folder.write(try SyntheticTexts.tokenizerJSON(), to: "tokenizer.json")
      let text = """
        {"task": "classification", "encoder": \(Toy.Encoder.bag.rawValue),
         "tokenizer": {"path": "\(tokenizer)"},
         "data": {"format": "ag_news", "train": "train.csv", "test": "test.csv"},
         "training": {"steps": 1, "batch_size": 2}, "optimizer": {"learning_rate": 2e-2}}
        """
      let path = try toy.folder.write(Array(text.utf8), to: "toy.json")
      return try TrainingRun(
        TrainingConfiguration(path, settings: settings), in: toy.folder.file("run"), resumes: false)
    }
    #expect(throws: DataError.self) { try train("1,rain\n1,cloud\n") }
    #expect(toy.folder.file("run").isMissing)
    let good = "1,rain\n2,bread\n3,song\n4,road\n"
    let error = #expect(throws: SettingError.self) {
      try train(good, settings: ["data.train_samples=1"])
    }
    #expect(error.map { "\($0)".contains("data.train_samples") } ?? false)
    let held = #expect(throws: SettingError.self) {
      try train("1,rain\n2,bread\n", settings: ["data.validation_share=0.5"])
    }
    #expect(held.map { "\($0)".contains("data.validation_share") } ?? false)
    #expect(try train(good).notices.contains { $0.contains("one class") })
  }

  @Test("holds texts out for choosing settings, and never trains on them")
  func validation() throws {
    let folder = try TemporaryFolder()
    for (name, seed) in [("train.csv", 1), ("test.csv", 2)] as [(String, UInt64)] {
      let rows = SyntheticTexts.make(100, seed: seed).texts.map { "\($0.label + 1),\($0.first)\n" }
      _ = try folder.write(Array(rows.joined().utf8), to: name)
    }
    func read(_ on: String) throws -> (train: LabelledTexts, test: LabelledTexts?) {
      let text = """
        {"data": {"format": "ag_news", "train": ["\(folder.file("train.csv"))"],
          "test": ["\(folder.file("test.csv"))"], "validation_share": 0.2},
         "evaluation": {"on": "\(on)"}}
        """
      let path = try folder.write(Array(text.utf8), to: "data.json")
      return try ClassificationSource(ConfigurationObject(path)).read()
    }
    let (chosen, reported) = (try read("validation"), try read("test"))
    #expect(chosen.train.texts == reported.train.texts && chosen.train.texts.count == 80)
    #expect(chosen.test?.texts.count == 20 && reported.test?.texts.count == 100)
    let learned = Set(chosen.train.texts)
    #expect(learned.isDisjoint(with: chosen.test?.texts ?? []))
  }

  @Test("has the terms of the loss with their signs and factors")
  func terms() throws {
    let toy = try Toy()
    let configuration = try toy.configuration(
      .bag, [.feedForward, .recurrent], steps: 1,
      more: #", "losses": {"entropy": -0.25, "balance": 2}"#)
    let run = try TrainingRun(configuration, in: toy.folder.file("run"), resumes: false)
    var metrics: StepMetrics?
    _ = try run.run(observer: { event in
      if case .step(let step) = event { metrics = step }
    })
    let step = try #require(metrics)
    let parts = Dictionary(uniqueKeysWithValues: step.parts.map { ($0.name, $0.value) })
    let sum =
      try #require(parts["cross_entropy"]) - 0.25 * (try #require(parts["gate_entropy"]))
      + 2 * (try #require(parts["unevenness"]))
    #expect(abs(sum - step.loss) < 1e-5)
  }

  @Test("rejects invalid configurations by the name of the key")
  func refused() throws {
    let folder = try TemporaryFolder()
    let rest = #""training": {"steps": 1, "batch_size": 1}, "optimizer": {"learning_rate": 1}"#
    let bag = #""encoder": {"model_type": "bag", "hidden_size": 8}"#
    let cases = [
      (#""data": {"format": "synthetic"}"#, "encoder"),
      (#"\#(bag), "data": {"format": "imdb"}"#, "data.format"),
      (#"\#(bag), "data": {"format": "sst2", "train": "a"}"#, "tokenizer"),
      (#"\#(bag), "data": {"format": "synthetic", "train": "a"}"#, "data.train"),
      (#"\#(bag), "data": {"format": "synthetic"}, "head": {"experts": ["lstm"]}"#, "head.experts"),
      (#"\#(bag), "data": {"format": "synthetic"}, "head": {"temperature": 0}"#, "temperature"),
      (#"\#(bag), "data": {"format": "synthetic"}, "head": {"widht": 8}"#, "head.width"),
      (#""encoder": {"path": "a", "forzen": true}, "data": {"format": "synthetic"}"#, "frozen"),
      (#"\#(bag), "data": {"format": "synthetic"}, "losses": {"z": 1}"#, "losses"),
      (#"\#(bag), "data": {"format": "synthetic", "validation_share": 0.1}"#, "data.train"),
      (
        #"\#(bag), "data": {"format": "synthetic"}, "evaluation": {"on": "validation"}"#,
        "evaluation.on"
      ),
      (#"\#(bag), "data": {"format": "synthetic"}, "evaluation": {"on": "all"}"#, "evaluation.on"),
      (
        #"\#(bag), "data": {"format": "synthetic", "supporting_facts": true}"#,
        "data.supporting_facts"
      ),
      (
        #""encoder": {"path": "a"}, "tokenizer": {"size": 512}, "data": {"format": "synthetic"}"#,
        "tokenizer.size"
      ),
      (
        #""encoder": {"path": "a", "cache": "b"}, "data": {"format": "synthetic"}"#, "encoder.cache"
      ),
    ]
    for (text, key) in cases {
      let path = try folder.write(
        Array(#"{"task": "classification", \#(text), \#(rest)}"#.utf8), to: "c.json")
      let error = #expect(throws: (any Error).self) { _ = try TrainingConfiguration(path) }
      let message = error.map { "\($0)" } ?? ""
      #expect(message.contains(key), "\(message)")
    }
  }
}
