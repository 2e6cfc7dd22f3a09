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
    guard let text = try? readText(path),
      let found = try? JSONDecoder().decode(DemoRecord.self, from: Data(text.utf8)),
      found.version == Self.version
    else { throw DemoError.invalidRecord(path) }
    guard found.quick == setting.isQuick, found.threads == setting.threads else {
      throw DemoError.otherSettings(setting.folder)
    }
    self = found
  }

  /// Whether a step is complete and its files still exist.
  func isDone(_ step: DemoStep, _ setting: DemoSetting) -> Bool {
    steps[step.name]?.isDone ?? false
      && step.results.allSatisfy { !setting.made($0).isMissing }
  }

  /// Records that a step has ended, complete or interrupted.
  mutating func note(
    _ step: DemoStep, seconds: Double, isDone: Bool, _ setting: DemoSetting
  ) throws {
    let before = steps[step.name].flatMap { $0.isDone ? nil : $0.seconds } ?? 0
    steps[step.name] = Entry(isDone: isDone, seconds: before + seconds)
    try write(setting)
  }

  private static func path(_ setting: DemoSetting) -> FilePath { setting.made("demo.json") }

  private func write(_ setting: DemoSetting) throws {
    try AtomicFile.write(JSONText.pretty(self), to: Self.path(setting))
  }
}
