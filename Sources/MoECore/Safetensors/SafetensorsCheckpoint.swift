import Foundation
public import SystemPackage

/// The tensors of a checkpoint: one safetensors file, or a folder of shards with an index.
public final class SafetensorsCheckpoint: Sendable {
  /// The file or folder that was opened.
  public let path: FilePath
  /// The files, in the order of their names.
  public let shards: [SafetensorsFile]
  /// Every tensor's entry, by file and then by position in the file.
  public var entries: [SafetensorsEntry] { shards.flatMap(\.header.entries) }
  private let shardByName: [String: Int]

  /// Name of the index in a folder of shards.
  static let indexName = "model.safetensors.index.json"
  /// Name of the only file in a folder without an index.
  static let singleName = "model.safetensors"

  /// Opens a safetensors file, an index (`….index.json`), or a folder with
  /// `model.safetensors` or `model.safetensors.index.json`.
  ///
  /// Of a folder with both, the single file is opened, as in transformers.
  ///
  /// - Throws: ``FileError`` when something is missing or unreadable, ``SafetensorsError`` when a
  ///   file or the index breaks a rule.
  public init(_ path: FilePath) throws {
    self.path = path
    var file = path
    if path.isDirectory {
      guard FileManager.default.isExecutableFile(atPath: path.string) else {
        throw FileError.permissionDenied(path)
      }
      let candidates = [Self.singleName, Self.indexName].map { path.appending($0) }
      guard let found = candidates.first(where: \.exists) else {
        throw SafetensorsError(path: path, reason: .noCheckpoint)
      }
      file = found
    }
    if file.string.hasSuffix(".index.json") {
      let weightMap = try Self.weightMap(at: file)
      shards = try Set(weightMap.values).sorted().map {
        try SafetensorsFile(file.folder.appending($0))
      }
      shardByName = try Self.checked(weightMap, in: shards, index: file)
    } else {
      shards = [try SafetensorsFile(file)]
      shardByName = Dictionary(uniqueKeysWithValues: shards[0].header.entries.map { ($0.name, 0) })
    }
  }

  /// What to tell about a folder whose index is not read; `nil` if there is nothing to tell.
  package static func indexWarning(in folder: FilePath) -> String? {
    guard [singleName, indexName].allSatisfy({ folder.appending($0).exists }) else { return nil }
    return
      "\(indexName) is not read, because \(singleName) is there, too; remove the one that is out of date"
  }

  /// The file that contains a tensor.
  ///
  /// - Throws: ``SafetensorsError`` when there is no tensor of this name.
  public func shard(holding name: String) throws(SafetensorsError) -> SafetensorsFile {
    guard let index = shardByName[name] else {
      throw SafetensorsError(path: path, reason: .noSuchTensor(name))
    }
    return shards[index]
  }

  /// Whether there is a tensor of this name.
  public func contains(_ name: String) -> Bool { shardByName[name] != nil }

  private struct Index: Decodable {
    var weightMap: [String: String]
    enum CodingKeys: String, CodingKey { case weightMap = "weight_map" }
  }

  private static func weightMap(at path: FilePath) throws -> [String: String] {
    let file = try MappedFile(path)
    let weightMap: [String: String]
    do {
      weightMap = try file.json(
        Index.self, expected: "an object 'weight_map' from tensor to file names"
      ).weightMap
    } catch {
      throw SafetensorsError(path: path, reason: .invalidIndex(error.message))
    }
    for shard in Set(weightMap.values) where !shard.hasSuffix(".safetensors") {
      throw SafetensorsError(
        path: path, reason: .invalidIndex("'\(shard)' is not a .safetensors file"))
    }
    for shard in Set(weightMap.values)
    where FilePath.Component(shard).map({ $0.kind != .regular || $0.string != shard }) ?? true {
      // A path could point outside the folder.
      throw SafetensorsError(
        path: path, reason: .invalidIndex("'\(shard)' is not the plain name of a file beside it"))
    }
    guard !weightMap.isEmpty else {
      throw SafetensorsError(path: path, reason: .invalidIndex("'weight_map' names no tensor"))
    }
    return weightMap
  }

  /// Checks that the index and the files agree; returns the position of every tensor's file.
  private static func checked(
    _ weightMap: [String: String], in shards: [SafetensorsFile], index: FilePath
  ) throws(SafetensorsError) -> [String: Int] {
    var result: [String: Int] = [:]
    for (position, shard) in shards.enumerated() {
      let shardName = shard.path.lastComponent?.string ?? ""
      for entry in shard.header.entries {
        guard weightMap[entry.name] == shardName else {
          throw SafetensorsError(
            path: index,
            reason: .invalidIndex(
              "it does not place tensor '\(entry.name)' in \(shardName), which holds it"))
        }
        result[entry.name] = position
      }
    }
    for (name, shard) in weightMap.sorted(by: { $0.key < $1.key }) where result[name] == nil {
      throw SafetensorsError(path: index, reason: .missingFromShard(tensor: name, shard: shard))
    }
    return result
  }
}
