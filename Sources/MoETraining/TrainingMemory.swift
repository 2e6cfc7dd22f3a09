import Foundation
import MoECore

/// The minimum memory that training needs.
enum TrainingMemory {
  /// Rejects a model that does not fit into this machine's memory.
  ///
  /// - Parameters:
  ///   - weights: Total number of parameters.
  ///   - settings: How they are trained.
  ///   - other: Bytes that the passes keep.
  ///   - batch: The batches, in words.
  /// - Throws: `SettingError`.
  static func check(
    weights: Int, trained settings: TrainingSettings, other: Double, of batch: String
  ) throws(SettingError) {
    // Weight, gradient and two moments; with bf16, weight and gradient are half as large, but there
    // is a master copy.
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
