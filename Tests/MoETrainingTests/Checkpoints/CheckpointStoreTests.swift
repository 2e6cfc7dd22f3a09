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

  @Test(
    "a changed state.json is not believed",
    arguments: [
      (#""step" : 2"#, #""step" : 3"#), (#""index" : 2"#, #""index" : 1"#),
      (#""epoch" : 1"#, #""epoch" : 0"#), (#""seed" : 7"#, #""seed" : 8"#),
      (#""step" : 2"#, #""step" : 4611686018427387904"#), (#""bytes" : 2"#, #""bytes" : 3"#),
      (#""version" : 2"#, #""version" : 3"#), (#""step" : 2"#, #""step" : "2""#),
      (#""step" : 2,"#, #""step" : 2"#),
    ])
  func changedState(old: String, new: String) throws {
    try store.write(state(2), seed: 7, files: files)
    let path = store.path(ofStep: 2).appending("state.json")
    let text = String(decoding: try readBytes(path), as: UTF8.self)
    #expect(text.contains(old))
    try AtomicFile.write(text.replacingOccurrences(of: old, with: new), to: path)
    let error = #expect(throws: TrainingError.self) { try store.newest() }
    #expect("\(try #require(error))".contains(store.path(ofStep: 2).string))
  }

  /// Makes the state of version 1, which had no checksum.
  private func makeOld(_ step: Int, _ change: (inout CheckpointState) -> Void) throws {
    let path = store.path(ofStep: step).appending("state.json")
    var state = try CheckpointState.read(store.path(ofStep: step))
    (state.version, state.checksum) = (1, nil)
    change(&state)
    try AtomicFile.write(JSONText.pretty(state), to: path)
  }

  @Test("older ones without a checksum are read, but must be of the step of their folder")
  func oldState() throws {
    try store.write(state(2), seed: 7, files: files)
    #expect(try store.newest()?.isUnverified == false)
    try makeOld(2) { _ in }
    let found = try #require(try store.newest())
    #expect(found.isUnverified && found.state.step == 2)
    try makeOld(2) { $0.step = 1 << 62 }
    #expect {
      try store.newest()
    } throws: { "\($0)".contains("the folder of step 2") }
  }

  @Test("positions follow from the steps, with batches that cross passes or end with them")
  func positions() {
    let crossing = DataConsumption(examples: 5, batch: 2)
    let cut = DataConsumption(examples: 5, batch: 2, crossesPasses: false)
    // Batch by batch, as the tasks take them.
    var order = ShuffledOrder(count: 5, seed: 0)
    var other = ShuffledOrder(count: 5, seed: 0)
    for count in 1...12 {
      for _ in 0..<2 { _ = order.next() }
      #expect(crossing.position(afterBatches: count) == order.position, "\(count)")
      _ = other.next()
      if other.position.index < 5 { _ = other.next() }
      #expect(cut.position(afterBatches: count) == other.position, "\(count)")
    }
    #expect(crossing.position(afterBatches: 0) == DataPosition())
    let whole = DataConsumption(examples: 4, batch: 10)
    #expect(whole.position(afterBatches: 1) == DataPosition(epoch: 2, index: 2))
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
