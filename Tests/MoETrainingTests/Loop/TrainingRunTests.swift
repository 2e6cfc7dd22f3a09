import MoEData
import MoEModels
import Foundation
import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoETraining

/// One number that is trained to become 1, with a file that shows it.
private final class NumberTask: TrainingTask {
  let number = Parameter(Tensor([0 as Float]))
  var weights: [NamedParameter] { [NamedParameter("number", number)] }
  var position = DataPosition()

  func nextBatch() -> Int { 1 }

  func loss(_ batch: Int, random: RandomSource) -> TaskLoss {
    let distance = number.value - 1
    return TaskLoss(parts: [.init("distance", (distance * distance).sum())], units: batch)
  }

  func evaluate() -> [NamedValue] {
    [NamedValue("number", Double(number.value.sum().item(as: Float.self)))]
  }
  func evaluationFiles() -> [ModelFile] { [ModelFile("number.txt", Array("\(evaluate())".utf8))] }
  func modelFiles() -> [ModelFile] { [] }
}

@Suite("Training runs")
struct TrainingRunTests {
  @Test("train any task, and keep the files of every evaluation")
  func evaluationFiles() throws {
    let folder = try TemporaryFolder()
    let settings = try LoopSettings(
      schedule: LearningRateSchedule(peak: 0.1, warmupSteps: 0, totalSteps: 4),
      optimizer: AdamWSettings())
    let run = try TrainingRun(
      NumberTask(), settings: settings, steps: 4,
      intervals: .init(evaluation: 2, checkpoint: 10), in: folder.path)
    var seen: [Double] = []
    _ = try run.run(observer: {
      if case .evaluated(let results, _) = $0 { seen += results.map(\.value) }
    })
    #expect(seen.count == 2 && seen[0] > 0 && seen[1] > seen[0])
    for (step, value) in zip([2, 4], seen) {
      let path = folder.path.appending("evaluations")
        .appending(CheckpointStore.name(ofStep: step)).appending("number.txt")
      let text = try String(contentsOfFile: path.string, encoding: .utf8)
      #expect(text == "\([NamedValue("number", value)])")
    }
  }

  private static func settings(_ steps: Int) throws -> LoopSettings {
    try LoopSettings(
      schedule: LearningRateSchedule(peak: 0.1, warmupSteps: 0, totalSteps: steps),
      optimizer: AdamWSettings())
  }

  @Test("continue only from what belongs to them, and name the checkpoint that does not")
  func foreignCheckpoints() throws {
    let folder = try TemporaryFolder()
    func run(_ steps: Int) throws -> TrainingRun {
      try TrainingRun(
        NumberTask(), settings: Self.settings(4), steps: steps,
        intervals: .init(evaluation: nil, checkpoint: 10), in: folder.path, resumes: true)
    }
    _ = try run(4).run()
    let store = CheckpointStore(folder.path.appending("checkpoints"))
    let path = store.path(ofStep: 4).string
    #expect {
      _ = try run(2)
    } throws: {
      "\($0)".contains("\(path) cannot be used: it is of step 4, but the run has only 2")
    }
    var state = try #require(try store.newest()).state
    state.optimizer.removeAll { $0.name == "number.first" }
    try store.write(state, seed: 0, files: [])
    #expect {
      _ = try run(4)
    } throws: { "\($0)".contains("\(path) cannot be used") && "\($0)".contains("number.first") }
  }

  @Test("continue only at the position in the data that their steps lead to")
  func positions() throws {
    let folder = try TemporaryFolder()
    let store = CheckpointStore(folder.path)
    for (position, isRight) in [
      (DataPosition(epoch: 1, index: 3), true), (DataPosition(epoch: 1, index: 2), false),
      (DataPosition(epoch: 0, index: 3), false), (DataPosition(epoch: 1 << 62, index: 3), false),
    ] {
      let loop = try TrainingLoop(NumberTask(), settings: Self.settings(4))
      for _ in 0..<4 { _ = try loop.advance() }
      var state = loop.state
      state.position = position
      try store.write(state, seed: 0, files: [])
      // Four steps of two of five examples.
      let prepared = PreparedTask(
        task: loop.task, headline: "", unit: "", examples: 5,
        consumption: DataConsumption(examples: 5, batch: 2))
      func restore() throws -> [String] {
        try TrainingRun.restore(loop, from: store, of: prepared, steps: 4)
      }
      if isRight {
        #expect(try restore().isEmpty)
      } else {
        #expect { _ = try restore() } throws: { "\($0)".contains("at example 3 of pass 1") }
      }
    }
  }
}
