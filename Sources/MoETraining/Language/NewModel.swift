import MoETokenizers
import Foundation
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// Creates the model of a run, new or from a folder, and the files that belong to it.
enum NewModel {
  static func make(
    _ configuration: LanguageRecipe, data: LanguageData, device: Device
  ) throws -> (model: MoEDecoder, files: [ModelFile]) {
    let json: ConfigurationObject
    let config: [UInt8]
    let source: any WeightSource
    switch configuration.model {
    case .folder(let given):
      let folder = try ModelLocation(given).path
      let path = folder.appending("config.json")
      json = try ConfigurationObject(path)
      config = Array(try JSONValue.object(trained(json, configuration)).json().utf8)
      source = try StoredModel(folder).weights(dtype: configuration.shared.dtype)
    case .new(var values):
      complete(&values, configuration, data)
      json = ConfigurationObject(values, path: configuration.shared.path, prefix: "model.")
      config = Array(try JSONValue.object(values).json().utf8)
      source = RandomWeights(RandomSource(seed: configuration.shared.seed))
    }
    let family = try DecoderFamilies.family(of: json)
    let architecture = try family.configuration(json)
    try check(architecture, json, configuration, data)
    try checkMemory(architecture, family, configuration)
    let model = try MoEDecoder(
      architecture, names: family.names,
      weights: MappedWeights.trainable(source, dtype: configuration.shared.dtype, device: device))
    let files = [
      ModelFile("config.json", config), ModelFile("tokenizer.json", data.tokenizerBytes),
    ]
    return (model, files + (try endings(configuration)))
  }

  /// The file that says how the texts of a given model end.
  private static func endings(_ configuration: LanguageRecipe) throws -> [ModelFile] {
    guard case .folder(let given) = configuration.model else { return [] }
    let name = StoredModel.generationSettings
    let path = try ModelLocation(given).path.appending(name)
    return path.exists ? [ModelFile(name, try MappedFile(path).copied(upTo: FileLimit.json))] : []
  }

  /// The configuration of a model that was opened, with the type in which its weights are trained and written.
  private static func trained(
    _ json: ConfigurationObject, _ configuration: LanguageRecipe
  ) -> JSONObject {
    var values = json.values
    values["torch_dtype"] = nil
    values["dtype"] = .string(configuration.shared.dtype.configurationName)
    return values
  }

  /// Fills in what follows from data and tokenizer.
  private static func complete(
    _ values: inout JSONObject, _ configuration: LanguageRecipe,
    _ data: LanguageData
  ) {
    func fill(_ key: String, _ value: JSONValue) {
      if values[key] ?? .null == .null { values[key] = value }
    }
    fill("vocab_size", .number(Double(data.tokenizer.vocabularyCount)))
    fill("max_position_embeddings", .number(Double(configuration.context)))
    values["dtype"] = .string(configuration.shared.dtype.configurationName)
    if let end = data.tokenizer.endToken {
      fill("eos_token_id", .number(Double(end)))
    }
  }

  private static func check(
    _ architecture: DecoderConfiguration, _ json: ConfigurationObject,
    _ configuration: LanguageRecipe, _ data: LanguageData
  ) throws {
    guard data.tokenizer.vocabularyCount <= architecture.vocabularySize else {
      throw json.invalid(
        "vocab_size", "at least \(data.tokenizer.vocabularyCount), the tokens of the tokenizer")
    }
    guard configuration.context <= architecture.contextLength else {
      throw json.invalid(
        "max_position_embeddings", "at least data.context (\(configuration.context))")
    }
  }

  /// Rejects models that do not fit into this machine's memory, before anything is allocated.
  private static func checkMemory(
    _ architecture: DecoderConfiguration, _ family: any DecoderFamily.Type,
    _ configuration: LanguageRecipe
  ) throws {
    let counted = CountedWeights()
    _ = try MoEDecoder(architecture, names: family.names, weights: counted)
    // Logits in the forward pass, their logarithms and their gradients.
    let tokens = Double(configuration.shared.batchSize) * Double(configuration.context)
    try TrainingMemory.check(
      weights: counted.count, trained: configuration.shared,
      other: 12 * tokens * Double(architecture.vocabularySize),
      of: "batches of \(Int(tokens)) tokens")
  }
}
