import MoECore
import SystemPackage

extension StoredModel {
  /// Name of the file with a model's settings for generation.
  package static let generationSettings = "generation_config.json"

  /// The tokens that end a text by the folder's settings for generation, which take precedence over
  /// the configuration; `nil` if they do not say, where the configuration holds (transformers would
  /// never end such a text).
  static func endTokens(in folder: FilePath) throws -> [Int]? {
    let path = folder.appending(generationSettings)
    guard path.exists else { return nil }
    return try ConfigurationObject(path).endTokens()
  }
}
