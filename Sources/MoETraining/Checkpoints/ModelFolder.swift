import MoEModels
import MoETensor
import Foundation
import MoECore
import SystemPackage

/// A model in the Hugging Face layout, which this library and other tools open.
enum ModelFolder {
  /// Writes a model folder, which appears complete or not at all; an existing one is replaced.
  static func write(
    _ model: [LoopState.NamedTensor], files: [ModelFile], to path: FilePath
  ) throws {
    let tensors = Dictionary(uniqueKeysWithValues: model.map { ($0.name, $0.tensor) })
    let new = path.isMissing ? path : path.temporarySibling
    try AtomicDirectory.write(to: new) { folder in
      for file in files { try write(file, into: folder) }
      let items = model.map {
        SafetensorsItem(name: $0.name, dtype: $0.tensor.dtype, shape: $0.tensor.shape)
      }
      try SafetensorsCheckpoint.write(items, into: folder) { item in
        guard let tensor = tensors[item.name] else { return [UInt8]() }
        return tensor
      }
    }
    guard new != path else { return }
    // Between the two there is no model at the path.
    try TemporaryPaths.discard(path) { try new.rename(to: path) }
  }

  /// Writes one small file.
  static func write(_ file: ModelFile, into folder: FilePath) throws {
    try AtomicFile.write(file.bytes, to: folder.appending(file.name))
  }

  /// Removes a folder, after renaming it, so that a partly removed one is never mistaken for a
  /// complete one.
  static func remove(_ path: FilePath) throws { try TemporaryPaths.discard(path) }
}
