import MoECore
import MoEModels
import SystemPackage

extension Output {
  /// Warns, on standard error, of a model's files that are not read.
  ///
  /// - Parameter path: The path of a model or a checkpoint; anything else has no such files.
  static func warn(ofFilesAt path: FilePath) {
    guard let folder = try? ModelLocation.tensors(path),
      let text = SafetensorsCheckpoint.indexWarning(in: folder)
    else { return }
    message("\(folder): \(text)".printable)
  }
}
