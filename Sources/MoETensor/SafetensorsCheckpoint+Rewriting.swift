public import MoECore
public import SystemPackage

extension SafetensorsCheckpoint {
  /// How ``rewrite(to:as:progress:)`` changes a checkpoint.
  public struct Rewriting: Hashable, Sendable {
    /// New type of all floating-point tensors; `nil` leaves them as they are.
    public var floatingPointType: DType?
    /// The most data in one file of a folder.
    public var shardLimit: ByteCount

    /// Describes a change.
    ///
    /// - Precondition: The new type, if any, is a floating-point type.
    public init(floatingPointType: DType? = nil, shardLimit: ByteCount = ByteCount(5_000_000_000)) {
      precondition(floatingPointType?.isFloatingPoint ?? true, "weights cast to integers")
      self.floatingPointType = floatingPointType
      self.shardLimit = shardLimit
    }
  }

  /// Writes the tensors of this checkpoint again, one after another, so that memory holds one at a time.
  ///
  /// - Parameters:
  ///   - path: A new file, if it ends in `.safetensors`, else a new folder.
  ///   - change: What to change.
  ///   - progress: Told the bytes written so far.
  /// - Throws: `FileError`; nothing is left behind then.
  public func rewrite(
    to path: FilePath, as change: Rewriting, progress: @escaping ProgressHandler = { _ in }
  ) throws {
    let items = entries.map { entry in
      SafetensorsItem(name: entry.name, dtype: newType(of: entry, change), shape: entry.shape)
    }
    let metadata = shards.reduce(into: [:]) { $0.merge($1.header.metadata) { first, _ in first } }
    let contents = { (item: SafetensorsItem) in
      try self.tensor(named: item.name).cast(to: item.dtype) as any ByteSource
    }
    guard path.extension != "safetensors" else {
      return try SafetensorsWriter.write(items, metadata: metadata, to: path, contents: contents)
    }
    try AtomicDirectory.write(to: path) { folder in
      try Self.write(
        items, metadata: metadata, into: folder, shardLimit: change.shardLimit, progress: progress,
        contents: contents)
    }
  }

  private func newType(of entry: SafetensorsEntry, _ change: Rewriting) -> DType {
    entry.dtype.isFloatingPoint ? change.floatingPointType ?? entry.dtype : entry.dtype
  }
}
