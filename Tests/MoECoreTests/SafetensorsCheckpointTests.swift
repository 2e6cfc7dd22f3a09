import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Safetensors checkpoints")
struct SafetensorsCheckpointTests {
  private let items = [
    SafetensorsItem(name: "first", dtype: .u8, shape: [6]),
    SafetensorsItem(name: "second", dtype: .u8, shape: [4]),
    SafetensorsItem(name: "third", dtype: .u8, shape: [20]),
    SafetensorsItem(name: "fourth", dtype: .u8, shape: [1]),
  ]

  private func write(into folder: FilePath, limit: Int) throws {
    try SafetensorsCheckpoint.write(items, into: folder, shardLimit: ByteCount(limit)) { item in
      [UInt8](repeating: UInt8(item.name.count), count: item.byteCount)
    }
  }

  @Test("below the limit are one file without an index")
  func single() throws {
    let folder = try TemporaryFolder()
    try write(into: folder.path, limit: 1000)
    #expect(try folder.contents() == ["model.safetensors"])
    #expect(try SafetensorsCheckpoint(folder.path).entries.count == 4)
  }

  @Test("above the limit are shards with an index, and read back whole")
  func sharded() throws {
    let folder = try TemporaryFolder()
    try write(into: folder.path, limit: 10)
    #expect(
      try folder.contents() == [
        "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
        "model-00003-of-00003.safetensors", "model.safetensors.index.json",
      ])
    let checkpoint = try SafetensorsCheckpoint(folder.path)
    #expect(Set(checkpoint.entries.map(\.name)) == Set(items.map(\.name)))
    try checkpoint.shard(holding: "third").withBytes(of: "third") { bytes in
      #expect(unsafe bytes.withUnsafeBytes { unsafe Array($0) } == [UInt8](repeating: 5, count: 20))
    }
    #expect(!checkpoint.contains("fifth"))
  }

  @Test(
    "with a broken index are refused",
    arguments: [
      ("no JSON", "{"),
      ("no map", "{}"),
      ("empty map", #"{"weight_map":{}}"#),
      ("numbers in the map", #"{"weight_map":{"first":1}}"#),
      (
        "a path that leads away", #"{"weight_map":{"first":"../model-00001-of-00003.safetensors"}}"#
      ),
      ("an absolute path", #"{"weight_map":{"first":"/etc/passwd"}}"#),
      ("the parent folder", #"{"weight_map":{"first":".."}}"#),
      ("no name", #"{"weight_map":{"first":""}}"#),
      ("too few tensors", #"{"weight_map":{"first":"model-00001-of-00003.safetensors"}}"#),
      (
        "a tensor that is nowhere",
        #"{"weight_map":{"first":"model-00001-of-00003.safetensors","second":"model-00001-of-00003.safetensors","fifth":"model-00001-of-00003.safetensors"}}"#
      ),
      ("nesting without end", String(repeating: "[", count: 100_000)),
    ])
  func brokenIndex(name: String, text: String) throws {
    let folder = try TemporaryFolder()
    try write(into: folder.path, limit: 10)
    _ = try folder.write(Array(text.utf8), to: "model.safetensors.index.json")
    #expect(throws: SafetensorsError.self, "\(name)") { try SafetensorsCheckpoint(folder.path) }
  }

  @Test("with a missing shard are refused")
  func missingShard() throws {
    let folder = try TemporaryFolder()
    try write(into: folder.path, limit: 10)
    let shard = folder.file("model-00002-of-00003.safetensors")
    try FileManager.default.removeItem(atPath: shard.string)
    #expect(throws: FileError.notFound(shard)) { try SafetensorsCheckpoint(folder.path) }
  }

  @Test("are not written over others, which would leave a mixture")
  func noMixture() throws {
    let folder = try TemporaryFolder()
    try write(into: folder.path, limit: 10)
    #expect(throws: FileError.alreadyExists(folder.file("model.safetensors.index.json"))) {
      try write(into: folder.path, limit: 1000)
    }
  }

  @Test("are not found in other folders")
  func noCheckpoint() throws {
    let folder = try TemporaryFolder()
    #expect(throws: SafetensorsError(path: folder.path, reason: .noCheckpoint)) {
      try SafetensorsCheckpoint(folder.path)
    }
  }
}
