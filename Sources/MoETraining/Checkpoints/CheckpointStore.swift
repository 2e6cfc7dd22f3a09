public import MoEModels
import Foundation
import MoECore
public import SystemPackage

/// The checkpoints of a run, in folders named by their steps.
///
/// The newest is kept, and the one before it until the newest has been verified.
public struct CheckpointStore: Sendable {
  /// The folder that holds them.
  public let folder: FilePath

  /// Uses the checkpoints in a folder.
  public init(_ folder: FilePath) { self.folder = folder }

  /// The folder of the checkpoint after a step.
  public func path(ofStep step: Int) -> FilePath { StepFolders(folder).path(ofStep: step) }

  /// The name of the folder of a step.
  static func name(ofStep step: Int) -> String { StepFolders.name(ofStep: step) }

  /// Steps that have a checkpoint, in ascending order.
  public func steps() -> [Int] { StepFolders(folder).steps() }

  /// A checkpoint that was found, and what was wrong with newer ones.
  public struct Found {
    /// Where it is.
    public var path: FilePath
    /// What it contains.
    public var state: LoopState
    /// The run's seed.
    public var seed: UInt64
    /// Why newer checkpoints were skipped.
    public var refused: [String]
    /// Whether it is of an older version, which has no checksum of its step and its position in the data.
    public var isUnverified = false
  }

  /// The newest complete checkpoint, or `nil` if there are no checkpoints.
  ///
  /// - Throws: What is wrong with the newest, if there are checkpoints but none is complete.
  public func newest() throws -> Found? {
    var failures: [any Error] = []
    for step in steps().reversed() {
      do {
        return try read(step: step, refused: failures.map { "\($0)" })
      } catch {
        failures.append(error)
      }
    }
    if let first = failures.first { throw first }
    return nil
  }

  private func read(step: Int, refused: [String]) throws -> Found {
    let path = path(ofStep: step)
    let (state, seed) = try TrainingCheckpoint.read(path)
    guard state.step == step else {
      throw TrainingError.invalidCheckpoint(
        path: path, problem: "state.json is of step \(state.step), the folder of step \(step)")
    }
    let isUnverified = try CheckpointState.read(path).checksum == nil
    return Found(
      path: path, state: state, seed: seed, refused: refused, isUnverified: isUnverified)
  }

  /// Writes a checkpoint, verifies it and removes older ones.
  ///
  /// - Throws: As ``TrainingCheckpoint/write(_:seed:files:to:)``; older ones are then still there.
  public func write(_ state: LoopState, seed: UInt64, files: [ModelFile]) throws {
    let path = path(ofStep: state.step)
    // A checkpoint of this step may be left from a run that was stopped before its next one.
    if !path.isMissing { try ModelFolder.remove(path) }
    try TrainingCheckpoint.write(state, seed: seed, files: files, to: path)
    for step in steps() where step != state.step { try ModelFolder.remove(self.path(ofStep: step)) }
  }

}
