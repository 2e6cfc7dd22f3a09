import MoECore
import MoETensor
import MoETestSupport
import SystemPackage

@testable import MoEModels

/// A copy of a fixture with other settings or tensors.
struct PackedCopy {
  let folder: TemporaryFolder
  var json: JSONObject
  var tensors: [String: Tensor]

  init(_ name: String) throws {
    let path = Fixtures.path("packed").appending(name)
    folder = try TemporaryFolder()
    json = try ConfigurationObject(path.appending("config.json")).values
    let checkpoint = try SafetensorsCheckpoint(path)
    tensors = Dictionary(
      uniqueKeysWithValues: try checkpoint.entries.map {
        ($0.name, try checkpoint.tensor(named: $0.name))
      })
  }

  /// Changes a setting of `quantization` or `quantization_config`.
  mutating func set(_ key: String, _ value: JSONValue?) {
    for name in PackedSchemes.keys {
      guard case .object(var settings) = json[name] else { continue }
      settings[key] = value
      json[name] = .object(settings)
    }
  }

  /// Writes the changed model.
  func write() throws {
    try AtomicFile.write(JSONText.pretty(json), to: folder.file("config.json"))
    try SafetensorsFile.write(tensors, to: folder.file("model.safetensors"))
  }

  /// What opening it says; empty if it opens.
  func message() throws -> String {
    try write()
    do {
      _ = try MoEDecoder.open(folder.path)
      return ""
    } catch { return "\(error)" }
  }
}
