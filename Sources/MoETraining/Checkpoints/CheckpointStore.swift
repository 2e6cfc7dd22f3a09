public import MoEModels
import Foundation
import MoECore
public import SystemPackage

/// The checkpoints of a run, in folders named by their steps; the newest is kept, and the one before until the
/// newest has been verified.
public struct CheckpointStore: Sendable {
  /// The folder that holds them.
  public let folder: FilePath

  /// Names the folder.
  public init(_ folder: FilePath) { self.folder = folder }

  /// Folder of the checkpoint after a step.
  public func path(ofStep step: Int) -> FilePath { StepFolders(folder).path(ofStep: step) }

  /// Name of the folder of a step.
  static func name(ofStep step: Int) -> String { StepFolders.name(ofStep: step) }

  /// Steps that have a checkpoint, in rising order.
  public func steps() -> [Int] { StepFolders(folder).steps() }

  /// A checkpoint that was found, and what was wrong with newer ones.
  public struct Found {
    /// Where it is.
    public var path: FilePath
    /// What it holds.
    public var state: LoopState
    /// The run's seed.
    public var seed: UInt64
    /// Why newer checkpoints were passed over.
    public var refused: [String]
  }

  /// The newest checkpoint that is whole, or `nil` if there is none at all.
  ///
  /// - Throws: What is wrong with the newest, if there are some but none is whole.
  public func newest() throws -> Found? {
    var failures: [any Error] = []
    for step in steps().reversed() {
      do {
        let (state, seed) = try TrainingCheckpoint.read(path(ofStep: step))
        return Found(
          path: path(ofStep: step), state: state, seed: seed, refused: failures.map { "\($0)" })
      } catch {
        failures.append(error)
      }
    }
    if let first = failures.first { throw first }
    return nil
  }

  /// Writes a checkpoint, verifies it and removes older ones.
  ///
  /// - Throws: As ``TrainingCheckpoint/write(_:seed:files:to:)``; older ones are still there then.
  public func write(_ state: LoopState, seed: UInt64, files: [ModelFile]) throws {
    let path = path(ofStep: state.step)
    // One of this step is left from a run that was stopped between two of its steps.
    if !path.isMissing { try ModelFolder.remove(path) }
    try TrainingCheckpoint.write(state, seed: seed, files: files, to: path)
    for step in steps() where step != state.step { try ModelFolder.remove(self.path(ofStep: step)) }
  }

}
