package import MoECore
package import MoETensor
package import SystemPackage

extension StoredModel {
  /// All weights of a quantized checkpoint by their headers, and the names of tensors that belong to none of them.
  ///
  /// - Throws: ``ModelError`` when a weight is missing.
  func packedInventory(
    _ tensors: DecoderTensors, _ scheme: any PackedScheme
  ) throws -> (weights: [WeightHeader], unused: [String]) {
    let source = LinearModules(path)
    _ = try MoEDecoder(configuration, names: names, weights: source)
    var parts = Dictionary(grouping: tensors.names) { Self.module(of: $0) }
    var weights: [WeightHeader] = []
    for other in source.others {
      let header = try tensors.checked(other.name, other.shape)
      let type = header.dtype ?? .f32
      weights.append(
        WeightHeader(
          name: other.name, shape: other.shape, type: type.rawValue,
          bytes: other.shape.reduce(type.byteSize, *)))
      parts[Self.module(of: other.name)]?.removeAll { $0 == other.name }
    }
    for module in source.modules {
      weights.append(try packedHeader(module, &parts, tensors, scheme))
    }
    let unused = parts.values.joined().filter { !$0.hasPrefix(NativeScheme.padding) }
    return (weights, unused.filter { !Self.isStack($0) }.sorted())
  }

  /// A tensor's name without its last part.
  private static func module(of name: String) -> String {
    name.split(separator: ".").dropLast().joined(separator: ".")
  }

  private static func isStack(_ name: String) -> Bool { name.contains(".switch_mlp.") }

  /// Names of tensors with codes, in the formats that are read.
  private static let codeNames = ["weight_packed", "qweight", "weight"]

  private func packedHeader(
    _ module: LinearModules.Module, _ parts: inout [String: [String]], _ tensors: DecoderTensors,
    _ scheme: any PackedScheme
  ) throws -> WeightHeader {
    let (stored, count) = Self.storedModule(module.name, parts, configuration.experts)
    let found = parts[stored] ?? []
    guard
      let codes = Self.codeNames.map({ stored + "." + $0 }).first(where: found.contains),
      let header = tensors.header(named: codes)
    else {
      throw ModelError.missingWeight(path: path, name: module.name + ".weight")
    }
    if stored == module.name { parts[stored] = found.filter { $0.hasSuffix(".bias") } }
    var bytes = 0
    var groups: Int?
    for name in found where !name.hasSuffix(".bias") {
      guard let part = tensors.header(named: name) else { continue }
      let elements = part.shape.contains(0) ? 0 : part.shape.reduce(1, *) / count
      bytes += elements * (part.dtype?.byteSize ?? 0)
      if name.hasSuffix(".scales") || name.hasSuffix(".weight_scale") {
        groups = max(1, elements / module.shape[0])
      }
    }
    let type = header.dtype ?? .f32
    let words = header.shape.contains(0) ? 0 : header.shape.reduce(1, *) / count
    let width =
      scheme.bits(module.name) ?? words * type.byteSize * 8 / module.shape.reduce(1, *)
    guard 2...8 ~= width || type.isFloatingPoint else {
      throw ModelError.wrongShape(
        path: path, name: codes, found: header.shape, expected: module.shape)
    }
    return WeightHeader(
      name: module.name + ".weight", shape: module.shape,
      type: type.isFloatingPoint ? type.rawValue : "\(width) bits", bytes: bytes,
      group: groups.map { (module.shape[1] + $0 - 1) / $0 })
  }

  /// The module that holds an expert's codes: itself, or the stack of all experts.
  private static func storedModule(
    _ name: String, _ parts: [String: [String]], _ experts: Int
  ) -> (name: String, count: Int) {
    guard parts[name] == nil else { return (name, 1) }
    var words = name.split(separator: ".").map(String.init)
    guard let place = words.lastIndex(of: "experts"), place + 2 < words.count else {
      return (name, 1)
    }
    let projections = ["w1": "gate_proj", "w3": "up_proj", "w2": "down_proj"]
    words.replaceSubrange(
      place..., with: ["switch_mlp", projections[words[place + 2]] ?? words[place + 2]])
    return (words.joined(separator: "."), experts)
  }
}

extension StoredModel {
  /// All weights in their stored types, under the names of the family.
  ///
  /// - Throws: ``ModelError``.
  package func storedWeights() throws -> [NamedParameter] {
    let source = storedSource()
    let model = try MoEDecoder(configuration, names: names, weights: source)
    try refuseUnused(by: source)
    return model.parameters
  }

  /// The configuration of the same model with packed weights.
  package func json(quantizedAs settings: JSONValue) -> JSONObject {
    var values = json.values
    values["quantization_config"] = settings
    return values
  }

  /// Writes what belongs to a model beside its weights into a folder.
  ///
  /// - Throws: `FileError` or `GGUFError`.
  package func writeCompanions(into folder: FilePath, configuration: String) throws {
    let others =
      ggufFile == nil ? try ModelLocation.companions(in: path, as: nil) : try tokenizerFiles()
    for file in others where file.name != ModelLocation.configuration {
      try file.write(into: folder)
    }
    try CompanionFile(name: ModelLocation.configuration, contents: .text(configuration))
      .write(into: folder)
  }
}

extension PackedFormat {
  /// The entry of a module in `quantization_config`.
  package var configuration: JSONValue { NativeScheme.entry(self) }
}
