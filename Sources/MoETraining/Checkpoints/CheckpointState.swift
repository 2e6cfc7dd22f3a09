public import MoEData
import Foundation
import MoECore
import SystemPackage

/// The `state.json` of a checkpoint: everything but tensors.
public struct CheckpointState: Hashable, Codable, Sendable {
  /// What a file of the checkpoint must hold.
  public struct Contents: Hashable, Codable, Sendable {
    /// Bytes under the checksum: all of a small file, the elements of a safetensors file.
    public var bytes: Int
    /// 64-bit xxHash of those bytes.
    public var xxh64: UInt64
  }

  /// Version of this format.
  public var version = 1
  /// Completed steps.
  public var step: Int
  /// The run's seed, which with the step decides all random numbers.
  public var seed: UInt64
  /// The next position in the data.
  public var position: DataPosition
  /// Experts without tokens.
  public var idle: IdleExperts
  /// What each other file must hold, by its name.
  public var files: [String: Contents]

  /// Reads the state of a checkpoint folder.
  ///
  /// - Throws: A `FileError`, or ``TrainingError/invalidCheckpoint(path:problem:)``.
  static func read(_ folder: FilePath) throws -> CheckpointState {
    let file = try MappedFile(folder.appending("state.json"))
    guard let state = try? file.json(CheckpointState.self) else {
      throw TrainingError.invalidCheckpoint(path: folder, problem: "state.json is broken")
    }
    guard state.version == 1 else {
      throw TrainingError.invalidCheckpoint(
        path: folder, problem: "its version is \(state.version); this program reads version 1")
    }
    guard state.step >= 0, state.position.epoch >= 0, state.position.index >= 0 else {
      throw TrainingError.invalidCheckpoint(
        path: folder, problem: "state.json has negative positions")
    }
    return state
  }

  func write(into folder: FilePath) throws {
    try AtomicFile.write(JSONText.pretty(self), to: folder.appending("state.json"))
  }
}
