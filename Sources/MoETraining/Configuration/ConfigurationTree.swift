import Foundation
import MoECore
import MoEModels
import SystemPackage

/// A configuration as JSON values, before they are checked.
struct ConfigurationTree {
  private(set) var values: JSONObject

  /// A value to change, from `key=value`.
  private struct Change {
    /// The parts of the dotted key.
    var place: [String]
    var value: JSONValue
    var key: String { place.joined(separator: ".") }
  }

  /// Reads a file and changes it.
  ///
  /// Paths in the file are relative to its folder, those of settings to the current directory. The
  /// recipe that the result names knows which keys hold paths.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - settings: Changes, each `key=value` with a dotted key, and a value in JSON or plain text; later ones win.
  /// - Throws: `ConfigurationError`, `SettingError` for a setting of another form, or a
  ///   `FileError`.
  init(_ path: FilePath, settings: [String]) throws {
    let changes = try settings.map(Self.change)
    values = try ConfigurationObject(path).values
    let task = changes.last { $0.place == ["task"] }?.value ?? values["task"] ?? .null
    let recipe = try TrainingRecipes.recipe(of: ConfigurationObject(["task": task], path: path))
    let pathKeys = Set(recipe.pathKeys)
    let here = FilePath(FileManager.default.currentDirectoryPath)
    let folder = here.pushing(path.removingLastComponent())
    for key in pathKeys {
      let place = key.split(separator: ".").map(String.init)
      if let value = Self.value(at: place, in: values) {
        values = try Self.set(Self.resolved(value, in: folder), at: place, in: values, key)
      }
    }
    for change in changes {
      let isPath = pathKeys.contains(change.key)
      let value = isPath ? Self.resolved(change.value, in: here) : change.value
      values = try Self.set(value, at: change.place, in: values, change.key)
    }
  }

  private static func change(_ setting: String) throws -> Change {
    let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let place = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2, place.allSatisfy({ !$0.isEmpty }) else {
      throw SettingError(
        key: "setting", value: setting, expected: "key=value, such as training.steps=100")
    }
    let text = String(parts[1])
    let value = try? JSONValue(parsing: Array(text.utf8))
    return Change(place: place, value: value ?? .string(text))
  }

  private static func value(
    at place: [String], in values: JSONObject
  ) -> JSONValue? {
    guard let first = place.first, let value = values[first] else { return nil }
    guard place.count > 1 else { return value }
    guard case .object(let inner) = value else { return nil }
    return self.value(at: Array(place.dropFirst()), in: inner)
  }

  private static func set(
    _ value: JSONValue, at place: [String],
    in values: JSONObject, _ key: String
  ) throws -> JSONObject {
    var values = values
    guard place.count > 1 else {
      values[place[0]] = value
      return values
    }
    switch values[place[0]] ?? .object([:]) {
    case .object(let inner):
      values[place[0]] = .object(try set(value, at: Array(place.dropFirst()), in: inner, key))
      return values
    default:
      throw SettingError(
        key: "setting", value: key, expected: "a key; '\(place[0])' does not have keys")
    }
  }

  private static func resolved(
    _ value: JSONValue, in folder: FilePath
  ) -> JSONValue {
    switch value {
    case .string(let path): .string(folder.pushing(FilePath(path)).lexicallyNormalized().string)
    case .array(let items): .array(items.map { resolved($0, in: folder) })
    default: value
    }
  }
}

extension JSONValue {
  /// All leaves by their dotted keys.
  func flattened(_ prefix: String = "") -> [String: JSONValue] {
    guard case .object(let values) = self, !values.isEmpty else { return [prefix: self] }
    return values.reduce(into: [:]) { result, entry in
      let key = prefix.isEmpty ? entry.key : "\(prefix).\(entry.key)"
      result.merge(entry.value.flattened(key)) { first, _ in first }
    }
  }
}
