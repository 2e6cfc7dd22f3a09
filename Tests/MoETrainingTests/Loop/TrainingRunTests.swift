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
}
