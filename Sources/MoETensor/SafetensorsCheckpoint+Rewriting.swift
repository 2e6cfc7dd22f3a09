public import MoECore
public import SystemPackage

extension SafetensorsCheckpoint {
  /// How ``rewrite(to:as:progress:complete:)`` changes a checkpoint.
  public struct Rewriting: Hashable, Sendable {
    /// The new type of all floating-point tensors; `nil` keeps their types.
    public var floatingPointType: DType?
    /// The most data in one file of a folder.
    public var shardLimit: ByteCount
    /// Whether a single file may take the place of one that exists.
    public var replacesFile: Bool

    /// Describes a change.
    ///
    /// - Precondition: The new type, if any, is a floating-point type.
    public init(
      floatingPointType: DType? = nil, shardLimit: ByteCount = ByteCount(5_000_000_000),
      replacesFile: Bool = false
    ) {
      precondition(floatingPointType?.isFloatingPoint ?? true, "weights cast to integers")
      self.floatingPointType = floatingPointType
      self.shardLimit = shardLimit
      self.replacesFile = replacesFile
    }
  }

  /// Writes a copy of this checkpoint, one tensor after another, so that only one is in memory at a
  /// time.
  ///
  /// - Parameters:
  ///   - path: A new file if it ends in `.safetensors`, otherwise a new folder.
  ///   - change: What to change.
  ///   - progress: Receives the number of bytes written so far.
  ///   - complete: Writes what belongs beside the tensors into a new folder, before it appears.
  /// - Throws: `FileError`, or ``TensorError/castOverflow(name:dtype:)`` when a finite element
  ///   would become infinite in the new type; what `complete` throws; nothing is left behind in these cases.
  public func rewrite(
    to path: FilePath, as change: Rewriting, progress: @escaping ProgressHandler = { _ in },
    complete: (FilePath) throws -> Void = { _ in }
  ) throws {
    let items = entries.map { entry in
      SafetensorsItem(name: entry.name, dtype: newType(of: entry, change), shape: entry.shape)
    }
    let metadata = shards.reduce(into: [:]) { $0.merge($1.header.metadata) { first, _ in first } }
    let contents = { (item: SafetensorsItem) in
      try self.tensor(named: item.name).castKeepingFinite(to: item.dtype, name: item.name)
        as any ByteSource
    }
    if path.extension == "safetensors" {
      guard change.replacesFile || path.isMissing else { throw FileError.alreadyExists(path) }
      return try writeFile(
        items, metadata: metadata, to: path, progress: progress, contents: contents)
    }
    try AtomicDirectory.write(to: path) { folder in
      try complete(folder)
      try Self.write(
        items, metadata: metadata, into: folder, shardLimit: change.shardLimit, progress: progress,
        contents: contents)
    }
  }

  private func writeFile(
    _ items: [SafetensorsItem], metadata: [String: String], to path: FilePath,
    progress: @escaping ProgressHandler,
    contents: @escaping (SafetensorsItem) throws -> any ByteSource
  ) throws {
    let total = items.reduce(0) { $0 + $1.byteCount }
    var written = 0
    try SafetensorsWriter.write(items, metadata: metadata, to: path) { item in
      progress(Progress("writing tensors", completed: written, total: total))
      written += item.byteCount
      return try contents(item)
    }
    progress(Progress("writing tensors", completed: total, total: total))
  }

  private func newType(of entry: SafetensorsEntry, _ change: Rewriting) -> DType {
    entry.dtype.isFloatingPoint ? change.floatingPointType ?? entry.dtype : entry.dtype
  }
}

extension Tensor {
  /// The elements in another type, if no finite one becomes infinite.
  package func castKeepingFinite(to dtype: DType, name: String) throws(TensorError) -> Tensor {
    let result = cast(to: dtype)
    guard dtype.byteSize < self.dtype.byteSize, dtype.isFloatingPoint else { return result }
    guard (result.isFinite() .| .!isFinite()).all() else {
      throw .castOverflow(name: name, dtype: dtype)
    }
    return result
  }
}
