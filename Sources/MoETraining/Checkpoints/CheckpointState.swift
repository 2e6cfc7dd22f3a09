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

  /// Version of this format; 1 had no checksum of itself.
  public var version = 2
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
  /// 64-bit xxHash of all the other values, as JSON on one line with sorted keys; `nil` in version 1.
  public var checksum: UInt64?

  /// Reads the state of a checkpoint folder.
  ///
  /// - Throws: A `FileError`, or ``TrainingError/invalidCheckpoint(path:problem:)``.
  static func read(_ folder: FilePath) throws -> CheckpointState {
    let file = try MappedFile(folder.appending("state.json"))
    func invalid(_ problem: String) -> TrainingError {
      .invalidCheckpoint(path: folder, problem: problem)
    }
    let state: CheckpointState
    do {
      state = try file.json(CheckpointState.self, expected: "the state of a training run")
    } catch {
      throw invalid("state.json: \(error.message)")
    }
    guard 1...2 ~= state.version else {
      throw invalid("its version is \(state.version); this program reads versions 1 and 2")
    }
    guard state.step >= 0, state.position.epoch >= 0, state.position.index >= 0 else {
      throw invalid("state.json has negative positions")
    }
    guard try state.version == 1 || state.checksum == state.sum() else {
      throw invalid("state.json is not what was written; the disk may be failing")
    }
    return state
  }

  func write(into folder: FilePath) throws {
    var state = self
    state.checksum = try sum()
    try AtomicFile.write(JSONText.pretty(state), to: folder.appending("state.json"))
  }

  private func sum() throws -> UInt64 {
    var rest = self
    rest.checksum = nil
    var sum = XXHash64()
    let bytes = Array(try JSONText.line(rest).utf8)
    unsafe sum.update(bytes.span.bytes)
    return sum.value
  }
}
