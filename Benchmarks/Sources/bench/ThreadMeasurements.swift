import Foundation
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// Steps per second over a time, whatever else runs: `Scripts/studies/threads` compares them for different loads.
///
/// Medians, as of the other measurements, would hide the steps that wait for a processor.
enum ThreadMeasurements {
  enum Work: String, CaseIterable {
    case generation, training

    /// What chooses it.
    var title: String { "threads: \(rawValue)" }
  }

  /// Prints how often a step of the work ran in a second, over so many seconds.
  static func measure(_ work: Work, seconds: Double, in folder: FilePath) throws {
    let step = try step(work, folder)
    for _ in 0..<3 { try step() }
    // Runs that are to be side by side start together.
    print("\(work.title): ready")
    fflush(nil)
    let clock = ContinuousClock()
    let (start, end) = (clock.now, clock.now + .seconds(seconds))
    var count = 0
    while clock.now < end {
      try step()
      count += 1
    }
    let rate = Double(count) / ((clock.now - start) / Duration.seconds(1))
    print("\(work.title): \(rate) per second")
  }

  private static func step(_ work: Work, _ folder: FilePath) throws -> () throws -> Void {
    switch work {
    case .generation:
      let path = try DecoderComparisons.makeModel(DecoderComparisons.dense, in: folder)
      let model = try MoEDecoder.open(path)
      var (cache, next) = (KeyValueCache(layers: 0), Tensor.zeros([1, 1]))
      var position = 0
      return {
        withoutGradients {
          if position % 256 == 0 {
            cache = KeyValueCache(layers: model.configuration.layers.count)
            next = Tensor([1 as Int], shape: [1, 1])
          }
          next = model(next, cache: cache, lastOnly: true).logits.argmax(axis: 2)
          position += 1
        }
      }
    case .training:
      let shape = TrainingComparisons.shapes[0]
      return try TrainingComparisons.step(
        try DecoderComparisons.makeModel(shape, in: folder), .f32)
    }
  }
}
