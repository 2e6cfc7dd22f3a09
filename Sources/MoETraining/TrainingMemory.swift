import Foundation
import MoECore

/// What training must hold at once, at the least.
enum TrainingMemory {
  /// Refuses a model that this machine cannot hold.
  ///
  /// - Parameters:
  ///   - weights: Numbers in all weights.
  ///   - settings: How they are trained.
  ///   - other: Bytes of what passes keep.
  ///   - batch: The batches, in words.
  /// - Throws: `SettingError`.
  static func check(
    weights: Int, trained settings: TrainingSettings, other: Double, of batch: String
  ) throws(SettingError) {
    // Weight, gradient and two moments; a narrow weight and gradient make room for a master.
    let gradient = settings.loop.fusesUpdates ? settings.dtype.byteSize : 0
    let needed = Double(weights) * Double(16 - gradient) + other
    guard needed > Double(ProcessInfo.processInfo.physicalMemory) else { return }
    let sizes = ByteCount(Int(min(needed, 1e18)))
    let memory = ByteCount(Int(ProcessInfo.processInfo.physicalMemory))
    throw SettingError(
      key: "model", value: "of \(weights) weights, \(batch)",
      expected: "smaller: training it needs more than \(sizes), and this machine has \(memory)")
  }
}
