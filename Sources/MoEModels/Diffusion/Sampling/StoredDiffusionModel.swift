import Foundation
public import MoECore
import MoETensor
public import SystemPackage

/// A folder with a trained diffusion transformer: `config.json`, safetensors, the names of its classes
/// (`classes.json`) and, for a model of latents, what they were multiplied by (`latents.json`).
public struct StoredDiffusionModel {
  /// The folder.
  public let path: FilePath
  /// The architecture.
  public let configuration: DiffusionConfiguration
  /// Names of the classes; their numbers if the folder has no names.
  public let classNames: [String]
  /// Whether the folder has names of classes.
  public let hasClassNames: Bool
  /// Factor by which the latents of the training data were multiplied; `nil` for pictures, and if
  /// the folder does not say.
  public let latentScale: Double?

  /// Reads the small files of a model's folder, or of the result of a training run.
  ///
  /// - Throws: ``ModelError`` when the path means no model, `ConfigurationError` that names the key, or a `FileError`.
  public init(_ path: FilePath) throws {
    let path = try ModelLocation(path).path
    self.path = path
    configuration = try DiffusionConfiguration(ConfigurationObject(path.appending("config.json")))
    let names = path.appending("classes.json")
    latentScale = try Self.latentScale(in: path)
    hasClassNames = !names.isMissing
    guard hasClassNames else {
      classNames = (0..<configuration.classes).map(String.init)
      return
    }
    let expected = "a list of at most \(configuration.classes) names"
    let found = try MappedFile(names).json([String].self, expected: expected)
    guard 1...configuration.classes ~= found.count else {
      throw ConfigurationError.invalidJSON(
        path: names, message: "expected \(expected), but there are \(found.count)")
    }
    classNames = found
  }

  private static func latentScale(in folder: FilePath) throws -> Double? {
    let path = folder.appending("latents.json")
    guard !path.isMissing else { return nil }
    let json = try ConfigurationObject(path)
    try json.refuseKeys(except: ["version", "scale"])
    _ = try json.int("version", in: 1...1)
    return try json.number("scale")
  }

  /// The file of a model's folder with the factor of its latents.
  package static func latentFile(scale: Double) -> ModelFile {
    ModelFile("latents.json", Array("{\"version\": 1, \"scale\": \(scale)}\n".utf8))
  }

  /// Names by which folders of images are mapped to labels; `nil` if only their order counts.
  package var knownClasses: [String]? { hasClassNames ? classNames : nil }

  /// Opens the weights.
  ///
  /// - Returns: The model.
  /// - Throws: ``ModelError`` that names a weight, or what reading throws.
  public func model() throws -> DiffusionTransformer { try DiffusionTransformer.open(path) }

  /// Whether the model generates pixels rather than the latents of an autoencoder.
  public var makesPictures: Bool {
    latentScale == nil && [1, 3].contains(configuration.channels)
  }

  /// Rejects a model of latents where pictures are needed.
  public func checkPictures() throws(ConfigurationError) {
    guard !makesPictures else { return }
    throw .invalidValue(
      path: path, key: "what the model makes",
      value: "latents of \(configuration.channels) channels",
      expected:
        "pictures here; latents can be written as numbers, for a program that decodes them"
    )
  }

  /// The label of images without one.
  ///
  /// - Throws: `SettingError` for a model that was trained with all labels, and so has none.
  public func nullLabel() throws(SettingError) -> Int {
    guard configuration.hasNullLabel else {
      throw SettingError(
        key: "label", value: "absent",
        expected: "that of a class, because the model was trained without label dropout")
    }
    return configuration.classes
  }

  /// Numbers of classes.
  ///
  /// - Parameter text: Names or numbers separated by commas; `nil` for the first 16 classes.
  /// - Returns: The numbers, in the order given.
  /// - Throws: `SettingError` for a class that the model does not know.
  public func labels(named text: String?) throws -> [Int] {
    guard let text else { return Array(classNames.indices.prefix(16)) }
    let labels = try text.split(separator: ",").map { part in
      let name = part.trimmingCharacters(in: .whitespaces)
      if let place = classNames.firstIndex(of: name) { return place }
      guard let number = Int(name), classNames.indices.contains(number) else {
        throw SettingError(
          key: "classes", value: "'\(name)'",
          expected:
            "among \(classNames.prefix(20).joined(separator: ", "))\(classNames.count > 20 ? ", …" : "")"
        )
      }
      return number
    }
    guard !labels.isEmpty else {
      throw SettingError(
        key: "classes", value: "'\(text)'",
        expected: "names or numbers of classes, separated by commas")
    }
    return labels
  }
}
