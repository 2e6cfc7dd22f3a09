import MoEData
import MoEModels
import Foundation
import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoETraining

@Suite("Checkpoints")
struct CheckpointStoreTests {
  private let folder: TemporaryFolder
  private let store: CheckpointStore
  private let files = [ModelFile("config.json", Array("{}".utf8))]

  init() throws {
    folder = try TemporaryFolder()
    store = CheckpointStore(folder.path)
  }

  private func state(_ step: Int) -> LoopState {
    LoopState(
      step: step, position: DataPosition(epoch: 1, index: 2), idle: IdleExperts(),
      model: [
        .init(name: "b", tensor: Tensor([Float(step), 2])),
        .init(name: "a", tensor: Tensor.ones([3], dtype: .bf16)),
      ], optimizer: [.init(name: "b.first", tensor: Tensor([0.5, Float(step)] as [Float]))])
  }

  @Test("give back what was written, and only the newest is kept")
  func roundTrip() throws {
    #expect(try store.newest() == nil)
    for step in [3, 20] { try store.write(state(step), seed: 9, files: files) }
    #expect(store.steps() == [20])
    #expect(try folder.contents() == ["step-00000020"])
    let found = try #require(try store.newest())
    #expect(found.state.step == 20 && found.seed == 9 && found.refused.isEmpty)
    #expect(found.state.position == DataPosition(epoch: 1, index: 2))
    let tensors = found.state.model + found.state.optimizer
    let expected = state(20).model + state(20).optimizer
    for entry in expected {
      let same = try #require(tensors.first { $0.name == entry.name })
      expectClose(same.tensor, entry.tensor, .exact, entry.name)
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: found.path.string).sorted()
        == ["config.json", "model.safetensors", "optimizer.safetensors", "state.json"])
  }

  /// Adds a second checkpoint next to the newest, as if a process had died before it removed the
  /// older one.
  private func writeTwo() throws {
    try store.write(state(1), seed: 0, files: files)
    let aside = folder.path.appending("aside")
    try store.path(ofStep: 1).rename(to: aside)
    try store.write(state(2), seed: 0, files: files)
    try aside.rename(to: store.path(ofStep: 1))
  }

  @Test(
    "damaged ones are skipped",
    arguments: ["model.safetensors", "optimizer.safetensors", "config.json", "state.json"])
  func damage(name: String) throws {
    try writeTwo()
    #expect(try store.newest()?.state.step == 2)
    let path = store.path(ofStep: 2).appending(name)
    var bytes = try readBytes(path)
    bytes[bytes.count - 1] ^= 1
    if name == "state.json" { bytes[0] = 0 }
    try Data(bytes).write(to: URL(filePath: path.string))
    let found = try #require(try store.newest())
    #expect(found.state.step == 1 && found.refused.count == 1)
    try FileManager.default.removeItem(atPath: path.string)
    #expect(try store.newest()?.state.step == 1)
    try FileManager.default.removeItem(atPath: store.path(ofStep: 1).string)
    #expect(throws: (any Error).self) { try store.newest() }
  }

  @Test("no name in state.json leads out of the folder")
  func escape() throws {
    try store.write(state(1), seed: 0, files: files)
    let path = store.path(ofStep: 1).appending("state.json")
    let text = String(decoding: try readBytes(path), as: UTF8.self)
    try AtomicFile.write(
      text.replacingOccurrences(of: "config.json", with: "../config.json"), to: path)
    #expect(throws: TrainingError.self) { try store.newest() }
  }

  @Test("what killed processes left behind is removed")
  func leftovers() throws {
    try store.write(state(1), seed: 0, files: files)
    try FileManager.default.createDirectory(
      atPath: folder.file(".x.partial").string, withIntermediateDirectories: true)
    Leftovers.remove(in: folder.path)
    #expect(try folder.contents() == ["step-00000001"])
  }

  @Test("a failure in the background shows, and nothing is written after it")
  func background() throws {
    struct Failure: Error {}
    let writer = BackgroundWriter()
    writer.start { throw Failure() }
    #expect(throws: Failure.self) { try writer.wait() }
    let path = folder.file("late")
    writer.start { try AtomicFile.write("x", to: path) }
    #expect(throws: Failure.self) { try writer.wait() }
    #expect(path.isMissing)
  }

  @Test("a model folder completely replaces an older one")
  func modelFolder() throws {
    let path = folder.file("model")
    for step in [1, 2] {
      try ModelFolder.write(state(step).model, files: files, to: path)
      let tensor = try SafetensorsCheckpoint(path).tensor(named: "b")
      #expect(tensor.array(of: Float.self) == [Float(step), 2])
    }
    #expect(try folder.contents() == ["model"])
  }
}
