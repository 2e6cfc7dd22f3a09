import Foundation
import MoECore
import MoEData
import MoEModels
import MoETensor
import MoETestSupport
// Without @testable: what follows must be possible outside of the package.
import MoETraining
import SystemPackage
import Testing

/// Training of a number towards a target, which noise moves at every step.
private struct TargetRecipe: TrainingRecipe {
  static let sections = ["number", "evaluation"]
  static let pathKeys = ["number.start"]

  /// Registers the recipe, once for all tests.
  static let name: String = {
    let name = "registered-recipe-tests-target"
    TrainingRecipes.registry.register(name, TargetRecipe.self)
    return name
  }()

  enum Noise: String, CaseIterable { case uniform, none }

  private let start: FilePath
  private let target: Double
  private let noise: Noise
  private let batchSize: Int

  init(_ json: ConfigurationObject, _ shared: TrainingSettings) throws {
    let section = try json.section("number", ["start", "target", "noise"])
    guard let start = try section.paths("start").first else {
      throw section.invalid("start", "the path of a file with a number")
    }
    self.start = start
    target = try section.number("target")
    noise = section.has("noise") ? try section.choice("noise") : .uniform
    try json.section("evaluation", ["every"]).refuseKeys(except: ["every"])
    batchSize = shared.batchSize
  }

  var resolved: [String: JSONObject] {
    ["number": ["noise": .string(noise.rawValue)]]
  }

  func checkFiles() throws { _ = try MappedFile(start) }

  func prepare(
    in folder: FilePath, device: Device, progress: @escaping ProgressHandler
  ) throws -> PreparedTask<TargetTask> {
    let text = try String(contentsOfFile: start.string, encoding: .utf8)
    let number = Float(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
    return PreparedTask(
      task: TargetTask(
        from: number, to: target, noise: noise == .uniform ? 0.1 : 0, batchSize: batchSize),
      headline: "one number", unit: "numbers", examples: 1_000, notices: ["it is only a number"])
  }
}

/// One number that is trained to become another.
private final class TargetTask: TrainingTask {
  let weights: [NamedParameter]
  var position = DataPosition()
  private let target: Double
  private let noise: Double
  private let batchSize: Int

  init(from start: Float, to target: Double, noise: Double, batchSize: Int) {
    weights = [NamedParameter("number", Parameter(Tensor([start])))]
    (self.target, self.noise, self.batchSize) = (target, noise, batchSize)
  }

  func nextBatch() -> Int {
    position.index += batchSize
    return batchSize
  }

  func loss(_ batch: Int, random: RandomSource) -> TaskLoss {
    let moved = random.uniform([batch]) * noise + target
    let distance = weights[0].parameter.value - moved
    return TaskLoss(parts: [.init("distance", (distance * distance).mean())], units: batch)
  }

  func evaluate() -> [NamedValue] {
    [NamedValue("number", Double(weights[0].parameter.value.sum().item(as: Float.self)))]
  }

  func modelFiles() -> [ModelFile] { [ModelFile("config.json", Array("{}".utf8))] }
}

/// Records everything that it receives.
private final class Recorder: MetricsSink {
  private(set) var steps: [Int] = []
  private(set) var losses: [Double] = []
  private(set) var evaluations: [Int: [NamedValue]] = [:]
  /// Rows of a table that were written before this sink received each step.
  private(set) var rows: [Int] = []
  private let table: FilePath

  init(besides table: FilePath) { self.table = table }

  func record(_ step: StepMetrics) throws {
    steps.append(step.step)
    losses.append(step.loss)
    let text = try String(contentsOfFile: table.string, encoding: .utf8)
    rows.append(text.split(separator: "\n").count - 1)
  }

  func record(evaluation: [NamedValue], step: Int) { evaluations[step] = evaluation }
}

@Suite("Recipes, tasks and sinks from outside of the library")
struct RegisteredRecipeTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    _ = try folder.write(Array("0.5\n".utf8), to: "start.txt")
  }

  private func configuration(_ settings: String...) throws -> TrainingConfiguration {
    let text = """
      {"task": "\(TargetRecipe.name)", "number": {"start": "start.txt", "target": 2},
       "training": {"steps": 8, "batch_size": 3, "seed": 5},
       "optimizer": {"learning_rate": 0.1}, "checkpoints": {"every": 3},
       "evaluation": {"every": 4}}
      """
    let path = try folder.write(Array(text.utf8), to: "number.json")
    return try TrainingConfiguration(path, settings: settings)
  }

  private func recorder(_ name: String) -> Recorder {
    Recorder(besides: folder.file(name).appending("metrics.csv"))
  }

  @Test("a registered recipe is trained from a file, and resumed with the same losses")
  func recipe() throws {
    let whole = recorder("whole")
    let run = try TrainingRun(try configuration(), in: folder.file("whole"), sinks: [whole])
    #expect(run.headline == "one number" && run.unit == "numbers" && run.steps == 8)
    #expect(run.notices == ["it is only a number"] && run.firstStep == 0)
    guard case .finished(let model) = try run.run() else {
      Issue.record("not finished")
      return
    }
    #expect(!model.appending("config.json").isMissing)
    #expect(whole.steps == Array(1...8) && Set(whole.losses).count == 8)

    let (first, second) = (recorder("parts"), recorder("parts"))
    do {
      let run = try TrainingRun(try configuration(), in: folder.file("parts"), sinks: [first])
      guard case .stopped(_, step: 5) = try run.run(shouldStop: { first.steps.count == 5 }) else {
        Issue.record("not stopped after 5 steps")
        return
      }
    }
    let resumed = try TrainingRun(
      try configuration(), in: folder.file("parts"), resumes: true, sinks: [second])
    #expect(resumed.firstStep == 5)
    _ = try resumed.run()
    #expect(second.steps == [6, 7, 8] && first.losses + second.losses == whole.losses)
    #expect(second.evaluations[8] == whole.evaluations[8])
  }

  @Test("sinks receive everything, in order, after the tables")
  func sinks() throws {
    let sinks = [recorder("told"), recorder("told")]
    let run = try TrainingRun(
      try configuration("number.noise=none"), in: folder.file("told"), sinks: sinks)
    var seen: [Double] = []
    _ = try run.run(observer: { event in
      if case .step(let metrics) = event {
        seen.append(metrics.loss)
        // The observer is called after all sinks.
        #expect(sinks.allSatisfy { $0.losses == seen })
      }
    })
    for sink in sinks {
      #expect(sink.rows == sink.steps && sink.evaluations.keys.sorted() == [4, 8])
    }
  }

  @Test("a sink that fails ends the run with its error")
  func failingSink() throws {
    final class Full: MetricsSink {
      struct Failure: Error {}
      func record(_ step: StepMetrics) throws { if step.step == 2 { throw Failure() } }
      func record(evaluation: [NamedValue], step: Int) {}
    }
    let run = try TrainingRun(try configuration(), in: folder.file("full"), sinks: [Full()])
    #expect {
      _ = try run.run()
    } throws: {
      ($0 as? TrainingFailure)?.cause is Full.Failure
    }
  }

  @Test(
    "what the recipe refuses names the key",
    arguments: [
      ("number.target=-1", "number.target is -1; it must be a number above 0"),
      ("number.noise=much", "number.noise is 'much'; it must be one of uniform, none"),
      ("number.aim=1", "the key 'number.aim' is unknown"),
      ("number.start=null", "number.start is null; it must be the path of a file with a number"),
      ("model={}", "the key 'model' is unknown; did you mean"),
    ])
  func refusals(setting: String, expected: String) throws {
    #expect {
      _ = try configuration(setting)
    } throws: {
      "\($0)".contains(expected)
    }
  }

  @Test("what a recipe fills in decides whether a run may continue")
  func record() throws {
    _ = try TrainingRun(try configuration(), in: folder.file("run")).run()
    let other = try configuration("number.noise=none")
    #expect {
      _ = try TrainingRun(other, in: folder.file("run"), resumes: true)
    } throws: {
      "\($0)".contains("number.noise is 'none', it was 'uniform'")
    }
  }

  @Test("an unknown task lists the known ones, registered ones too")
  func unknownTask() throws {
    let known = "language, diffusion, classification, image_classification"
    let registered = TargetRecipe.name
    #expect {
      _ = try configuration("task=unheard-of")
    } throws: {
      let text = "\($0)"
      return text.contains("task is 'unheard-of'; it must be one of \(known)")
        && text.contains(registered)
    }
  }

  // MARK: Without a configuration

  private func run(
    _ name: String, resumes: Bool = false, examples: Int? = nil, sinks: [any MetricsSink] = []
  ) throws -> TrainingRun {
    try TrainingRun(
      TargetTask(from: 0.5, to: 2, noise: 0.1, batchSize: 3),
      settings: LoopSettings(
        schedule: LearningRateSchedule(peak: 0.1, warmupSteps: 0, totalSteps: 6),
        optimizer: AdamWSettings(), clip: .infinity, average: 0.5, seed: 5),
      steps: 6, intervals: .init(evaluation: 2, checkpoint: 4), in: folder.file(name),
      resumes: resumes, examples: examples, sinks: sinks)
  }

  @Test("a task alone is trained in a folder, and resumed with the same losses")
  func task() throws {
    let whole = recorder("whole")
    _ = try run("whole", sinks: [whole]).run()
    #expect(whole.steps == Array(1...6) && whole.evaluations.keys.sorted() == [2, 4, 6])
    let (first, second) = (recorder("parts"), recorder("parts"))
    _ = try run("parts", sinks: [first]).run(shouldStop: { first.steps.count == 3 })
    _ = try run("parts", resumes: true, sinks: [second]).run()
    #expect(second.steps == [4, 5, 6] && first.losses + second.losses == whole.losses)
    #expect(second.evaluations[6] == whole.evaluations[6])
  }

  @Test("a folder that contains a run is left unchanged, unless the run is to continue")
  func occupied() throws {
    _ = try folder.write(Array("mine".utf8), to: "data")
    _ = try run("one").run()
    #expect {
      _ = try run("one")
    } throws: {
      guard case TrainingError.runExists(let path) = $0 else { return false }
      return path == folder.file("one")
    }
    #expect {
      _ = try run("one", resumes: true, examples: 2)
    } throws: {
      "\($0)".contains("it belongs to other data or another seed")
    }
    #expect(!folder.file("one").appending("model").isMissing)
  }

  @Test("intervals are at least one step")
  func intervals() {
    #expect(throws: SettingError(key: "checkpoint", value: "0", expected: "at least 1 step")) {
      try TrainingRun.Intervals(checkpoint: 0)
    }
    #expect(throws: SettingError.self) { try TrainingRun.Intervals(evaluation: 0, checkpoint: 1) }
    #expect(throws: SettingError.self) { try TrainingRun.Intervals(checkpoint: 1, routing: -1) }
  }
}
