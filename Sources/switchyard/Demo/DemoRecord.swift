import Foundation
import MoECore
import SystemPackage

/// The `demo.json` of a demo: its settings, and which steps are complete.
struct DemoRecord: Codable {
  /// A step that has at least been started.
  struct Entry: Codable {
    var isDone: Bool
    /// Time spent on it, in all attempts that ended normally.
    var seconds: Double
    /// Checksums of the files that it made, by their names; absent in older records.
    var files: [String: UInt64]?
  }

  private static let version = 1
  private var version: Int
  private let quick: Bool
  private let threads: Int?
  private(set) var steps: [String: Entry]

  /// Opens the record in a demo's folder, or starts one.
  init(_ setting: DemoSetting) throws {
    let path = Self.path(setting)
    guard !path.isMissing else {
      (version, quick, threads, steps) = (Self.version, setting.isQuick, setting.threads, [:])
      try write(setting)
      return
    }
    let found = try Self.read(path)
    guard found.quick == setting.isQuick, found.threads == setting.threads else {
      throw DemoError.otherSettings(setting.folder)
    }
    self = found
  }

  private static func read(_ path: FilePath) throws -> DemoRecord {
    let file = try MappedFile(path)
    let found: DemoRecord
    do { found = try file.json(DemoRecord.self, expected: "the steps of a demo") } catch {
      throw DemoError.invalidRecord(path, problem: error.message)
    }
    guard found.version == version else {
      throw DemoError.invalidRecord(path, problem: "its version is \(found.version)")
    }
    guard found.steps.values.allSatisfy({ 0...1e9 ~= $0.seconds }) else {
      throw DemoError.invalidRecord(path, problem: "it has a step of impossible length")
    }
    return found
  }

  /// Whether a step is complete and its files still exist.
  ///
  /// - Throws: ``DemoError/damaged(_:problem:)`` when one of them has changed.
  func isDone(_ step: DemoStep, _ setting: DemoSetting) throws -> Bool {
    guard let entry = steps[step.name], entry.isDone,
      step.results.allSatisfy({ !setting.made($0).isMissing })
    else { return false }
    for (name, sum) in try Self.sums(of: step, setting) where entry.files?[name] ?? sum != sum {
      throw DemoError.damaged(setting.made(name), problem: "it has changed")
    }
    return true
  }

  /// Checksums of the files that a step made, by their names; folders have none.
  private static func sums(of step: DemoStep, _ setting: DemoSetting) throws -> [String: UInt64] {
    var sums: [String: UInt64] = [:]
    for name in step.results where !setting.made(name).isMissing {
      guard !setting.made(name).isDirectory else { continue }
      var sum = XXHash64()
      try MappedFile(setting.made(name)).withBytes { sum.update($0) }
      sums[name] = sum.value
    }
    return sums
  }

  /// Records that a step has ended, complete or interrupted.
  mutating func note(
    _ step: DemoStep, seconds: Double, isDone: Bool, _ setting: DemoSetting
  ) throws {
    let before = steps[step.name].flatMap { $0.isDone ? nil : $0.seconds } ?? 0
    let files = isDone ? try Self.sums(of: step, setting) : nil
    steps[step.name] = Entry(isDone: isDone, seconds: before + seconds, files: files)
    try write(setting)
  }

  private static func path(_ setting: DemoSetting) -> FilePath { setting.made("demo.json") }

  private func write(_ setting: DemoSetting) throws {
    try AtomicFile.write(JSONText.pretty(self), to: Self.path(setting))
  }
}
