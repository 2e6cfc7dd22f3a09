import Foundation
public import MoECore
public import MoETensor
public import SystemPackage

extension ModelLocation {
  /// Writes the tensors at a path again, and beside them in a new folder what makes a model of them: its configuration,
  /// the files of its tokenizer, and other small files of text.
  ///
  /// - Parameters:
  ///   - path: A safetensors file, an index, the folder of a model, or that of its training run.
  ///   - target: A new file if it ends in `.safetensors`, otherwise a new folder.
  ///   - change: What to change. A new type also becomes the one that the configuration names.
  ///   - progress: Receives the number of bytes written so far.
  /// - Throws: As ``tensors(_:)`` and `SafetensorsCheckpoint.rewrite`.
  public static func rewrite(
    _ path: FilePath, to target: FilePath, as change: SafetensorsCheckpoint.Rewriting,
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    let source = try tensors(path)
    let companions =
      source.isDirectory ? try companions(in: source, as: change.floatingPointType) : []
    try SafetensorsCheckpoint(source).rewrite(to: target, as: change, progress: progress) {
      folder in
      for file in companions { try file.write(into: folder) }
    }
  }

  /// Endings of the small files beside the weights of a model, whose own endings are others.
  private static let companionEndings: Set = ["json", "txt", "model", "jinja"]

  static func companions(in folder: FilePath, as dtype: DType?) throws -> [CompanionFile] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.string) else {
      throw FileError.permissionDenied(folder)
    }
    return try names.sorted().compactMap { name in
      let file = folder.appending(name)
      // An index belongs to the old files of the weights.
      guard companionEndings.contains(file.extension ?? ""), !name.hasPrefix("."),
        !name.hasSuffix(".index.json"), !file.isDirectory
      else { return nil }
      if name == configuration, let dtype, let text = try configurationText(file, dtype) {
        return CompanionFile(name: name, contents: .text(text))
      }
      return CompanionFile(name: name, contents: .copy(of: file))
    }
  }

  /// A configuration that names the new type, for programs that compute in the type that it names; `nil` if it names none.
  private static func configurationText(_ file: FilePath, _ dtype: DType) throws -> String? {
    var keys = try ConfigurationObject(file).values
    let names = ["dtype", "torch_dtype"].filter { keys[$0] != nil }
    guard !names.isEmpty else { return nil }
    for name in names { keys[name] = .string(dtype.configurationName) }
    return try JSONText.pretty(keys)
  }
}
