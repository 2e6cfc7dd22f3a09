import Foundation
import MoECore
import SystemPackage

/// The `demo.json` of a demo: with what settings it was made, and which steps are done.
struct DemoRecord: Codable {
  /// A step that has at least begun.
  struct Entry: Codable {
    var isDone: Bool
    /// Time spent on it, of all attempts that ended in order.
    var seconds: Double
  }

  private static let version = 1
  private var version: Int
  private let quick: Bool
  private let threads: Int?
  private(set) var steps: [String: Entry]

  /// Opens the record of a demo's folder, or begins one.
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

  /// Whether a step is done and what it made is still there.
  func isDone(_ step: DemoStep, _ setting: DemoSetting) -> Bool {
    steps[step.name]?.isDone ?? false
      && step.results.allSatisfy { !setting.made($0).isMissing }
  }

  /// Writes down that a step has ended, for good or for now.
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
