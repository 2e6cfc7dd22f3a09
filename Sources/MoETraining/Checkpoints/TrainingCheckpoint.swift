public import MoEModels
import MoECore
import MoETensor
public import SystemPackage

/// A folder to continue training from: a model folder with `optimizer.safetensors` and
/// `state.json`.
public enum TrainingCheckpoint {
  private static let model = "model.safetensors"
  private static let optimizer = "optimizer.safetensors"

  /// Writes a checkpoint, which appears complete or not at all, and reads it back.
  ///
  /// - Parameters:
  ///   - state: What the loop needs to continue.
  ///   - seed: The run's seed.
  ///   - files: Other files of the folder.
  ///   - path: The folder, which must not exist yet.
  /// - Throws: A `FileError`, as for a full disk, or
  ///   ``TrainingError/invalidCheckpoint(path:problem:)`` when what is read back differs.
  public static func write(
    _ state: LoopState, seed: UInt64, files: [ModelFile], to path: FilePath
  ) throws {
    try AtomicDirectory.write(to: path) { folder in
      var contents: [String: CheckpointState.Contents] = [:]
      for file in files {
        try ModelFolder.write(file, into: folder)
        contents[file.name] = .init(bytes: file.bytes.count, xxh64: .init(of: file.bytes))
      }
      contents[model] = try write(state.model, ["format": "pt"], to: folder.appending(model))
      contents[optimizer] = try write(state.optimizer, [:], to: folder.appending(optimizer))
      try CheckpointState(
        step: state.step, seed: seed, position: state.position, idle: state.idle, files: contents
      ).write(into: folder)
    }
    try verify(path, CheckpointState.read(path))
  }

  /// Verifies a checkpoint and reads it.
  ///
  /// - Returns: What a loop continues from, and the seed of the run.
  /// - Throws: A `FileError`, `SafetensorsError`, or
  ///   ``TrainingError/invalidCheckpoint(path:problem:)``.
  public static func read(_ path: FilePath) throws -> (state: LoopState, seed: UInt64) {
    let saved = try CheckpointState.read(path)
    try verify(path, saved)
    let state = LoopState(
      step: saved.step, position: saved.position, idle: saved.idle,
      model: try tensors(path.appending(model)), optimizer: try tensors(path.appending(optimizer)))
    return (state, saved.seed)
  }

  /// Compares every file with its checksum.
  static func verify(_ path: FilePath, _ state: CheckpointState) throws {
    for name in [model, optimizer] where state.files[name] == nil {
      throw TrainingError.invalidCheckpoint(path: path, problem: "state.json does not name \(name)")
    }
    for (name, expected) in state.files.sorted(by: { $0.key < $1.key }) {
      guard FilePath.Component(name)?.string == name else {
        throw TrainingError.invalidCheckpoint(path: path, problem: "'\(name)' is not a file name")
      }
      guard try contents(of: path.appending(name)) == expected else {
        throw TrainingError.invalidCheckpoint(
          path: path, problem: "\(name) is not what was written; the disk may be failing")
      }
    }
  }

  private static func contents(of file: FilePath) throws -> CheckpointState.Contents {
    var sum = XXHash64()
    guard file.extension == "safetensors" else {
      let mapped = try MappedFile(file)
      mapped.withBytes { sum.update($0) }
      return .init(bytes: mapped.count, xxh64: sum.value)
    }
    let tensors = try SafetensorsFile(file)
    var bytes = 0
    for entry in tensors.header.entries {
      try tensors.withBytes(of: entry.name) { sum.update($0) }
      bytes += entry.range.count
    }
    return .init(bytes: bytes, xxh64: sum.value)
  }

  /// Writes tensors and computes the checksum of their elements, in the order of the file.
  private static func write(
    _ tensors: [LoopState.NamedTensor], _ metadata: [String: String], to path: FilePath
  ) throws -> CheckpointState.Contents {
    let byName = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor) })
    let items = tensors.map {
      SafetensorsItem(name: $0.name, dtype: $0.tensor.dtype, shape: $0.tensor.shape)
    }
    var sum = XXHash64()
    try SafetensorsWriter.write(items, metadata: metadata, to: path) { item in
      guard let tensor = byName[item.name] else { programmerError("no tensor \(item.name)") }
      tensor.withBytes { sum.update($0) }
      return tensor
    }
    return .init(bytes: items.reduce(0) { $0 + $1.byteCount }, xxh64: sum.value)
  }

  /// All tensors of a file, copied to memory: the file may soon be deleted.
  private static func tensors(_ path: FilePath) throws -> [LoopState.NamedTensor] {
    let file = try SafetensorsFile(path)
    return try file.header.entries.map {
      .init(name: $0.name, tensor: try file.tensor(named: $0.name).copied())
    }
  }
}

extension UInt64 {
  /// The xxHash of some bytes.
  fileprivate init(of bytes: [UInt8]) {
    var sum = XXHash64()
    unsafe sum.update(bytes.span.bytes)
    self = sum.value
  }
}
