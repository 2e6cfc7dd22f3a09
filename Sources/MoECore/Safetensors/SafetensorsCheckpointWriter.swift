public import SystemPackage

extension SafetensorsCheckpoint {
  /// Writes tensors into an existing folder, as `model.safetensors` or, above the size limit, as
  /// numbered shards with an index; the names are those of the transformers library.
  ///
  /// Each file is written atomically, the index last. To make the folder itself appear at once,
  /// call this inside ``AtomicDirectory/write(to:_:)``.
  ///
  /// - Parameters:
  ///   - items: The tensors, in the order in which they fill the shards.
  ///   - metadata: Free text by key, written into every file.
  ///   - folder: The folder, which must exist and contain no checkpoint: a mixture of old and new
  ///     files would be read without an error.
  ///   - shardLimit: The most data in one file; a larger tensor gets a separate file.
  ///   - layout: The order of the tensors in a file.
  ///   - progress: Receives the number of bytes written so far.
  ///   - contents: Provides the elements of a tensor when it is about to be written.
  /// - Throws: ``FileError``, or what `contents` throws.
  public static func write(
    _ items: [SafetensorsItem], metadata: [String: String] = ["format": "pt"],
    into folder: FilePath, shardLimit: ByteCount = ByteCount(5_000_000_000),
    layout: SafetensorsWriter.Layout = .reference, progress: ProgressHandler = { _ in },
    contents: (SafetensorsItem) throws -> any ByteSource
  ) throws {
    try write(
      shards: sharded(items, limit: shardLimit), metadata: metadata, into: folder, layout: layout,
      progress: progress, contents: contents)
  }

  /// Writes tensors into an existing folder, one file for each shard.
  ///
  /// - Parameters:
  ///   - shards: The tensors of each file, at least one file.
  ///   - metadata: Free text by key, written into every file.
  ///   - folder: The folder, which must exist and contain no checkpoint.
  ///   - layout: The order of the tensors in a file.
  ///   - progress: Receives the number of bytes written so far.
  ///   - contents: Provides the elements of a tensor when it is about to be written.
  /// - Throws: ``FileError``, or what `contents` throws.
  public static func write(
    shards: [[SafetensorsItem]], metadata: [String: String] = ["format": "pt"],
    into folder: FilePath, layout: SafetensorsWriter.Layout, progress: ProgressHandler = { _ in },
    contents: (SafetensorsItem) throws -> any ByteSource
  ) throws {
    for name in [singleName, indexName]
    where folder.appending(name).exists {
      throw FileError.alreadyExists(folder.appending(name))
    }
    let total = shards.joined().reduce(0) { $0 + $1.byteCount }
    var written = 0
    var weightMap: [String: String] = [:]
    for (number, shard) in shards.enumerated() {
      let name = shards.count == 1 ? singleName : shardName(number + 1, of: shards.count)
      for item in shard { weightMap[item.name] = name }
      try SafetensorsWriter.write(
        shard, metadata: metadata, layout: layout, to: folder.appending(name)
      ) { item in
        progress(Progress("writing tensors", completed: written, total: total))
        written += item.byteCount
        return try contents(item)
      }
    }
    progress(Progress("writing tensors", completed: total, total: total))
    guard shards.count > 1 else { return }
    let index = Index(metadata: .init(totalSize: total), weightMap: weightMap)
    try AtomicFile.write(JSONText.pretty(index), to: folder.appending(indexName))
  }

  private struct Index: Encodable {
    struct Metadata: Encodable {
      var totalSize: Int
      enum CodingKeys: String, CodingKey { case totalSize = "total_size" }
    }
    var metadata: Metadata
    var weightMap: [String: String]
    enum CodingKeys: String, CodingKey {
      case metadata
      case weightMap = "weight_map"
    }
  }

  /// Fills one shard after another; at least one shard, even without tensors.
  private static func sharded(_ items: [SafetensorsItem], limit: ByteCount) -> [[SafetensorsItem]] {
    var shards: [[SafetensorsItem]] = [[]]
    var filled = 0
    for item in items {
      if filled + item.byteCount > limit.bytes, !(shards.last ?? []).isEmpty {
        shards.append([])
        filled = 0
      }
      shards[shards.count - 1].append(item)
      filled += item.byteCount
    }
    return shards
  }

  private static func shardName(_ number: Int, of count: Int) -> String {
    func padded(_ value: Int) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
    }
    return "model-\(padded(number))-of-\(padded(count)).safetensors"
  }
}
