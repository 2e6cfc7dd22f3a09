import Foundation
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// The `run.json` of a run: its configuration, and the versions and machine that it was made with.
struct RunRecord: Codable {
  /// The configuration with all defaults filled in.
  var configuration: JSONValue
  /// Versions of the program's parts by name.
  var versions: [String: String]
  /// The commit of the working tree that contains the configuration, if there is one.
  var commit: String?
  /// Threads of one operation; losses are identical bit for bit only for the same number.
  var threads: Int
  /// Versions of our kernels and of the engine's; losses are identical bit for bit only for the same.
  var kernels: String
  /// When the run started, ISO 8601.
  var began: String

  /// Describes a run that starts now.
  init(_ configuration: TrainingConfiguration, versions: [String: String]) {
    self.configuration = configuration.resolved
    self.versions = versions
    let here = FilePath(FileManager.default.currentDirectoryPath)
    commit = GitCommit.find(
      from: here.pushing(configuration.path.removingLastComponent()).lexicallyNormalized())
    threads = Engine.threadCount
    kernels = "\(Engine.kernelVersion.name), libtorch \(Engine.kernelInstructionSet)"
    began = ISO8601DateFormatter().string(from: Date())
  }

  /// Reads the record of a run.
  static func read(_ path: FilePath) throws -> RunRecord {
    try MappedFile(path).json(RunRecord.self, expected: "the record of a run")
  }

  func write(to path: FilePath) throws {
    try AtomicFile.write(JSONText.pretty(self), to: path)
  }

  /// Where another configuration differs in what decides about losses, in words.
  func differences(from other: JSONValue) -> [String] {
    var (old, new) = (configuration.flattened(), other.flattened())
    // Before there was a choice, averages did not warm up.
    if old["training.average"] != nil, old["training.average_warmup"] == nil {
      old["training.average_warmup"] = .bool(false)
    }
    return Set(old.keys).union(new.keys).sorted().compactMap { key in
      guard old[key] != new[key], !Self.isFree(key) else { return nil }
      return "\(key) is \(new[key]?.text ?? "absent"), it was \(old[key]?.text ?? "absent")"
    }
  }

  /// Whether a key may change when a run continues, because it does not affect losses.
  private static func isFree(_ key: String) -> Bool {
    ["training.steps", "training.fused_update"].contains(key)
      || ["checkpoints.", "evaluation.", "log."].contains(where: key.hasPrefix)
  }
}
