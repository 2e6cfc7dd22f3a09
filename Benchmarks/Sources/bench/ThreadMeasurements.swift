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

  /// Prints how often a step of the work ran in a second with `threads` and, unless `alone`, with one; they take turns every
  /// second, because what else the machine does changes with time.
  static func measure(
    _ work: Work, threads: Int, alone: Bool, rounds: Int, in folder: FilePath
  )
    throws
  {
    let step = try step(work, folder)
    for _ in 0..<3 { try step() }
    var (many, one) = (Rate(), Rate())
    for _ in 0..<rounds {
      Engine.threadCount = threads
      try many.add(step)
      Engine.threadCount = 1
      if !alone { try one.add(step) }
    }
    let rates = alone ? "\(many.perSecond)" : "\(many.perSecond) \(one.perSecond)"
    print("\(work.title), steps per second: \(rates)")
  }

  /// Steps over a time.
  private struct Rate {
    private var count = 0
    private var time = Duration.zero

    var perSecond: Double { Double(count) / (time / Duration.seconds(1)) }

    /// Runs steps for a second.
    mutating func add(_ step: () throws -> Void) rethrows {
      let start = ContinuousClock.now
      repeat {
        try step()
        count += 1
      } while ContinuousClock.now - start < .seconds(1)
      time += ContinuousClock.now - start
    }
  }

  private static func step(_ work: Work, _ folder: FilePath) throws -> () throws -> Void {
    switch work {
    case .generation:
      let path = try DecoderComparisons.makeModel(DecoderComparisons.dense, in: folder)
      let model = try MoEDecoder.open(path)
      var (cache, next) = (model.makeCache(), 1)
      var position = 0
      return {
        if position % 256 == 0 { (cache, next) = (model.makeCache(), 1) }
        let part = SequencePart(tokens: [next], cache: cache)
        next = model.read([part], as: .decode).logits[0].argmax(axis: 0).item()
        position += 1
      }
    case .training:
      let shape = TrainingComparisons.shapes[0]
      return try TrainingComparisons.step(
        try DecoderComparisons.makeModel(shape, in: folder), .f32)
    }
  }
}
