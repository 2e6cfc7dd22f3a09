import MoECore
import MoETensor
import SystemPackage

/// The tensors of a decoder's checkpoint under the names that its family uses, whichever of transformers' layouts wrote
/// them.
///
/// - A base model is saved without its head, and its names lack `model.`.
/// - The text part of a model for several kinds of input is named `model.language_model.` or `language_model.model.`, its
///   head `language_model.lm_head`.
/// - transformers 5 keeps Mixtral's experts stacked in `mlp`, as other families have them, unless it is told to write the
///   original format.
final class DecoderTensors {
  let checkpoint: SafetensorsCheckpoint
  /// Names in the checkpoint by the family's names, where they differ.
  private let stored: [String: String]
  /// All names, as the family has them.
  let names: [String]

  init(_ checkpoint: SafetensorsCheckpoint, of family: WeightNames) {
    self.checkpoint = checkpoint
    var stored: [String: String] = [:]
    names = checkpoint.entries.map { entry in
      let name = Self.familyName(of: entry.name, family)
      guard name != entry.name, !checkpoint.contains(name), stored[name] == nil else {
        return entry.name
      }
      stored[name] = entry.name
      return name
    }
    self.stored = stored
  }

  private static func familyName(of stored: String, _ family: WeightNames) -> String {
    var name = stored
    for (prefix, own) in [
      ("model.language_model.", "model."), ("language_model.model.", "model."),
      ("language_model.lm_head.", "lm_head."),
    ] where stored.hasPrefix(prefix) { name = own + stored.dropFirst(prefix.count) }
    let isBase = ["layers.", "embed_tokens.", "norm."].contains { name.hasPrefix($0) }
    var parts = (isBase ? "model." + name : name).split(
      separator: ".", omittingEmptySubsequences: false)
    // model.layers.N.mlp.gate or .experts
    if parts.count > 4, parts[1] == "layers", parts[3] == "mlp",
      ["gate", "experts"].contains(parts[4])
    {
      parts[3] = Substring(family.block)
    }
    return parts.joined(separator: ".")
  }
}

extension DecoderTensors: TensorStore {
  var path: FilePath { checkpoint.path }

  func header(named name: String) -> TensorHeader? {
    checkpoint.header(named: stored[name] ?? name)
  }

  func tensor(named name: String) throws -> Tensor {
    try checkpoint.tensor(named: stored[name] ?? name)
  }
}
