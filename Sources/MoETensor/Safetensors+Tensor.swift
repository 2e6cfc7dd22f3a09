public import MoECore
public import SystemPackage

extension Tensor: ByteSource {}

extension SafetensorsFile {
  /// A tensor of this file, which shares its mapped bytes without copying them.
  ///
  /// - Throws: `SafetensorsError` when there is no tensor of this name.
  public func tensor(named name: String) throws -> Tensor {
    let entry = try entry(named: name)
    return try Tensor(
      mapping: file, range: fileRange(of: entry), dtype: entry.dtype, shape: entry.shape)
  }

  /// Writes tensors into one file atomically.
  ///
  /// - Parameters:
  ///   - tensors: The tensors by name.
  ///   - metadata: Free text by key.
  ///   - path: The file, which is replaced if it exists.
  /// - Throws: `FileError`; the file is unchanged in that case.
  public static func write(
    _ tensors: [String: Tensor], metadata: [String: String] = [:], to path: FilePath
  ) throws {
    let items = tensors.map { SafetensorsItem(name: $0, dtype: $1.dtype, shape: $1.shape) }
    try SafetensorsWriter.write(items, metadata: metadata, to: path) { item in
      guard let tensor = tensors[item.name] else { programmerError("no tensor \(item.name)") }
      return tensor
    }
  }
}

extension SafetensorsCheckpoint {
  /// A tensor of this checkpoint, which shares its mapped bytes without copying them.
  ///
  /// - Throws: `SafetensorsError` when there is no tensor of this name.
  public func tensor(named name: String) throws -> Tensor {
    try shard(holding: name).tensor(named: name)
  }
}
