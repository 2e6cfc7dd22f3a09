import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoETraining

@Suite("Training configurations")
struct TrainingConfigurationTests {
  private let folder: TemporaryFolder
  static let text = """
    {"model": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
               "rms_norm_eps": 1e-5, "rope_theta": 10000, "hidden_act": "silu", "num_experts": 4,
               "expert_size": 16, "router": {"type": "token_choice", "k": 2, "renormalize": true}},
     "tokenizer": {"size": 300},
     "data": {"train": "text.txt", "validation_share": 0.1, "context": 16},
     "training": {"steps": 40, "batch_size": 2},
     "optimizer": {"learning_rate": 0.01}}
    """

  init() throws { folder = try TemporaryFolder() }

  private func language(_ settings: String...) throws -> LanguageRecipe {
    try #require(read(settings).recipe as? LanguageRecipe)
  }

  private func read(_ settings: String...) throws -> TrainingConfiguration { try read(settings) }

  private func read(_ settings: [String]) throws -> TrainingConfiguration {
    let path = folder.file("config.json")
    try AtomicFile.write(Self.text, to: path)
    return try TrainingConfiguration(path, settings: settings)
  }

  @Test("paths in the file are relative to it, and those of --set to the current directory")
  func paths() throws {
    let resolved = FilePath(folder.path.string).lexicallyNormalized()
    #expect(try language().train == [resolved.appending("text.txt")])
    let here = FilePath(FileManager.default.currentDirectoryPath)
    #expect(try language("data.train=x/y.txt").train == [here.pushing("x/y.txt")])
    #expect(try language(#"data.train=["/a", "/b"]"#).train == ["/a", "/b"])
  }

  @Test("defaults are filled in and recorded")
  func defaults() throws {
    let configuration = try read("training.precision=auto")
    let resolved = configuration.resolved.flattened()
    #expect(resolved["schedule.warmup_steps"] == .number(4))
    #expect(resolved["schedule.steps"] == .number(40))
    #expect(resolved["optimizer.beta2"] == .number(0.95))
    #expect(resolved["training.precision"] == .string(configuration.settings.dtype.rawValue))
    #expect(configuration.settings.loop.schedule.final == 0.001)
    let intervals = try TrainingRun.Intervals(evaluation: 2, checkpoint: 4)
    #expect(configuration.settings.intervals == intervals)
  }

  @Test("averages warm up unless a file, or a record of before there was a choice, says otherwise")
  func averages() throws {
    #expect(try read("training.average=0.9").settings.loop.averageWarmsUp)
    let constant = try read("training.average=0.9", "training.average_warmup=false")
    #expect(!constant.settings.loop.averageWarmsUp)
    #expect(try read().resolved.flattened()["training.average_warmup"] == nil)
    #expect {
      _ = try read("training.average_warmup=true")
    } throws: { "\($0)".contains("training.average_warmup is true; it must be absent") }
    var record = RunRecord(constant, versions: [:])
    guard case .object(var values) = record.configuration,
      case .object(var training) = values["training"]
    else { return #expect(Bool(false)) }
    training["average_warmup"] = nil
    values["training"] = .object(training)
    record.configuration = .object(values)
    #expect(record.differences(from: constant.resolved).isEmpty)
    #expect(
      record.differences(from: try read("training.average=0.9").resolved) == [
        "training.average_warmup is true, it was false"
      ])
  }

  @Test(
    "invalid ones are rejected with the key and the expected value",
    arguments: [
      ("task=x", "task is 'x'; it must be one of language"),
      ("modl={}", "the key 'modl' is unknown; did you mean 'model'?"),
      ("training.step=3", "the key 'training.step' is unknown; did you mean 'training.steps'?"),
      ("optimizer.lerning_rate=1", "did you mean 'optimizer.learning_rate'?"),
      ("training.steps=0", "training.steps is 0; it must be a whole number in 1…"),
      ("training.steps=many", "training.steps is 'many'"),
      ("training.batch_size=null", "the key 'training.batch_size' is missing"),
      ("training=3", "training is 3; it must be an object"),
      ("training.steps.x=3", "'steps' does not have keys"),
      ("model=null", "the key 'model' is missing"),
      ("data.train=null", "the key 'data.train' is missing"),
      ("data.train=3", "data.train is 3"),
      ("data.context=0", "data.context is 0"),
      ("data.validation_share=1", "data.validation_share is 1; it must be from 0 to below 1"),
      ("data.validation=x", "data.validation_share is 0.1; it must be absent"),
      ("optimizer.beta1=1", "optimizer.beta1 is 1.0; it must be from 0 to below 1"),
      ("optimizer.learning_rate=-1", "optimizer.learning_rate is -1"),
      (
        "schedule.warmup_steps=41",
        "schedule.warmup_steps is 41; it must be at most the steps of the schedule (40)"
      ),
      ("schedule.decay=square", "schedule.decay is 'square'; it must be one of constant, linear"),
      ("losses.balance=-1", "losses.balance is -1; it must be a number of at least 0"),
      ("training.precision=f16", "it must be one of f32, bf16, auto"),
      ("tokenizer.size=10", "tokenizer.size is 10"),
      ("tokenizer=null", "the key 'tokenizer.size' is missing"),
      ("tokenizer.path=x", "tokenizer.size is 300; it must be absent"),
      ("training.average=1", "training.average is 1"),
      ("checkpoints.snapshots=3", "checkpoints.snapshots is 3"),
      ("=3", "setting is =3; it must be key=value"), ("a..b=3", "setting is a..b=3"),
    ])
  func refusals(setting: String, expected: String) throws {
    #expect {
      _ = try read(setting)
    } throws: {
      "\($0)".contains(expected)
    }
  }

  @Test("resuming says what differs, except for keys that do not affect losses")
  func differences() throws {
    let record = RunRecord(try read(), versions: [:])
    let same = try read("checkpoints.every=7", "evaluation.every=3", "log.routing_every=1")
    #expect(record.differences(from: same.resolved).isEmpty)
    let other = try read("optimizer.learning_rate=0.02", "losses.balance=0.01").resolved
    #expect(
      record.differences(from: other) == [
        "losses.balance is 0.01, it was absent", "optimizer.learning_rate is 0.02, it was 0.01",
      ])
    // More steps stretch the schedule, unless its length is given.
    let longer = try read("training.steps=80").resolved
    #expect(record.differences(from: longer).contains("schedule.steps is 80, it was 40"))
    let stated = try read("training.steps=80", "schedule.steps=40", "schedule.warmup_steps=4")
    #expect(record.differences(from: stated.resolved).isEmpty)
  }

  @Test("fused updates may be switched on for an existing run; clip 0 means no limit")
  func fusedUpdates() throws {
    let record = RunRecord(try read(), versions: [:])
    #expect(record.differences(from: try read("training.fused_update=true").resolved).isEmpty)
    let recipe = try language("training.fused_update=true", "training.clip=0").shared
    #expect(recipe.loop.fusesUpdates && recipe.loop.clip == .infinity)
    #expect(recipe.resolved["training"]?["clip"] == .number(0))
    for (settings, key) in [
      (["training.clip=-1"], "training.clip"),
      (["training.fused_update=true", "training.accumulation=2"], "training.accumulation"),
      (["training.fused_update=1"], "training.fused_update"),
    ] {
      let error = #expect(throws: (any Error).self) { try read(settings) }
      #expect(error.map { "\($0)".contains(key) } ?? false, "\(key)")
    }
  }

  @Test("sizes that do not fit into any machine are rejected before anything is allocated")
  func impossibleSizes() throws {
    _ = try folder.write(Array(String(repeating: "some words ", count: 500).utf8), to: "text.txt")
    let out = folder.file("out")
    for settings in [
      ["model.hidden_size=1048576", "model.num_attention_heads=1024"],
      ["model.num_experts=1048576", "model.expert_size=1048576", "model.num_hidden_layers=4096"],
      ["training.batch_size=65536", "model.vocab_size=16777216"],
    ] {
      let path = folder.file("config.json")
      try AtomicFile.write(Self.text, to: path)
      let configuration = try TrainingConfiguration(path, settings: settings)
      #expect {
        _ = try TrainingRun(configuration, in: out, resumes: false)
      } throws: {
        "\($0)".contains("smaller: training it needs more than")
      }
    }
  }

  @Test("the examples are valid, and name text that exists unless it must be given")
  func examples() throws {
    let folder = Fixtures.package.appending("Examples")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.string).sorted()
    #expect(names.contains("tiny-bible.json") && names.contains("small-text.json"))
    for name in names where name.hasSuffix(".json") {
      let configuration = try TrainingConfiguration(folder.appending(name))
      if name.hasPrefix("tiny") { try configuration.recipe.checkFiles() }
    }
  }

  @Test("the commit is found without git")
  func commit() throws {
    let git = folder.file(".git")
    try FileManager.default.createDirectory(
      atPath: git.appending("refs/heads").string, withIntermediateDirectories: true)
    let inner = folder.path.appending("a")
    try inner.createFolders()
    try AtomicFile.write("ref: refs/heads/main\n", to: git.appending("HEAD"))
    try AtomicFile.write("# pack\nabc refs/heads/main\n", to: git.appending("packed-refs"))
    #expect(GitCommit.find(from: inner) == "abc")
    try AtomicFile.write("def\n", to: git.appending("refs/heads/main"))
    #expect(GitCommit.find(from: inner) == "def")
    try AtomicFile.write("123\n", to: git.appending("HEAD"))
    #expect(GitCommit.find(from: inner) == "123")
    #expect(GitCommit.find(from: "/proc") == nil)
  }
}
