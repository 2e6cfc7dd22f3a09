import MoECore
import MoETensor

/// The `pack-quantized` format of compressed-tensors, which llm-compressor writes.
///
/// Rows are packed along the inputs. Older versions leave the bits of a word unused that hold no whole code; the number of
/// words tells the two forms apart.
/// - SeeAlso: [compressed-tensors](https://github.com/neuralmagic/compressed-tensors).
struct CompressedScheme: PackedScheme {
  static let title = "compressed-tensors"

  /// The weights of one of the configuration's groups.
  private struct Entry {
    var bits: Int
    var group: Int
    var isSymmetric: Bool
  }

  /// Settings by exact names, among them those of kinds of modules, and by expressions.
  private let names: [String: Entry]
  private let rules: ModuleRules<Entry>
  private let ignored: ModuleRules<Bool>

  init(_ settings: ConfigurationObject) throws {
    let format = try settings.optionalString("format") ?? ""
    guard ["pack-quantized", "mixed-precision"].contains(format) else {
      throw settings.invalid("format", "'pack-quantized'")
    }
    try Self.refuseTransforms(settings)
    var ignored = ModuleRules<Bool>()
    for name in try settings.optionalStrings("ignore") ?? [] {
      try ignored.add(Self.pattern(name), true, in: settings, key: "ignore")
    }
    self.ignored = ignored
    let groups = try settings.object("config_groups")
    var (names, rules) = ([String: Entry](), ModuleRules<Entry>())
    for (name, value) in groups.values.sorted(by: { $0.key < $1.key }) {
      let group = try groups.object(value, of: name)
      if let own = try group.optionalString("format"), own != "pack-quantized" {
        throw group.invalid("format", "'pack-quantized'")
      }
      for key in ["input_activations", "output_activations"] where group.has(key) {
        throw group.invalid(key, "null: activations are not quantized as a file says")
      }
      let entry = try Self.entry(try group.object("weights"))
      for target in try group.optionalStrings("targets") ?? [] {
        guard target.hasPrefix("re:") else {
          names[target] = names[target] ?? entry
          continue
        }
        try rules.add(Self.pattern(target), entry, in: group, key: "targets")
      }
    }
    (self.names, self.rules) = (names, rules)
  }

  /// The expression of a name: itself, or what follows `re:`.
  private static func pattern(_ name: String) -> String {
    name.hasPrefix("re:")
      ? String(name.dropFirst(3)) : name.replacing(".", with: "\\.") + "$"
  }

  /// Refuses what changes the meaning of stored weights.
  private static func refuseTransforms(_ settings: ConfigurationObject) throws {
    if let transforms = try settings.optionalObject("transform_config"),
      !transforms.values.isEmpty
    {
      throw settings.invalid("transform_config", "absent: rotated weights are not read")
    }
    if let sparsity = try settings.optionalObject("sparsity_config"),
      let format = try sparsity.optionalString("format"), format != "dense"
    {
      throw sparsity.invalid("format", "'dense'")
    }
  }

  private static func entry(_ weights: ConfigurationObject) throws -> Entry {
    guard try weights.optionalString("type") ?? "int" == "int" else {
      throw weights.invalid("type", "'int'")
    }
    let strategy = try weights.optionalString("strategy") ?? "group"
    guard ["group", "channel"].contains(strategy) else {
      throw weights.invalid("strategy", "'group' or 'channel'")
    }
    return Entry(
      bits: try weights.int("num_bits", in: 1...16),
      group: strategy == "group" ? try weights.int("group_size", in: 1...65_536) : -1,
      isSymmetric: try weights.optionalBool("symmetric") ?? true)
  }

  /// The settings of a module: an exact name before expressions, those before the kind of module.
  private func entry(_ module: String) -> Entry? {
    names[module] ?? rules.value(for: module) ?? names["Linear"]
  }

  func weight(
    _ module: String, _ shape: [Int], in tensors: PackedTensors
  ) throws -> PackedWeight? {
    guard tensors.has(module + ".weight_packed") else { return nil }
    guard let entry = entry(module) else {
      throw tensors.failure(module, "no group of config.json is for it, but it has packed weights")
    }
    guard ignored.value(for: module) == nil else {
      throw tensors.failure(module, "config.json says 'ignore' for it, but it has packed weights")
    }
    let parts = try PackedParts(
      module, in: tensors, bits: entry.bits, group: entry.group, shape: shape)
    let codes = try codes(parts)
    let scales = try tensors.take(
      module + ".weight_scale", [shape[0], parts.groups], [.f16, .bf16, .f32])
    try checkShape(parts)
    let zeros = entry.isSymmetric ? nil : try zeros(parts)
    guard !tensors.has(module + ".weight_g_idx") else {
      throw tensors.failure(
        module, "it has its inputs in another order, which is not read in this format")
    }
    return try parts.weight(codes: codes, scales: scales, zeros: zeros, order: nil)
  }

  private func codes(_ parts: PackedParts) throws -> Tensor {
    let (bits, shape, name) = (parts.bits, parts.shape, parts.module + ".weight_packed")
    let dense = [shape[0], (shape[1] * bits + 31) / 32]
    let padded = CodeLayout.paddedRows.shape(bits: bits, outputs: shape[0], inputs: shape[1])
    let isPadded = parts.tensors.shape(name) == padded && dense != padded
    let words = try parts.tensors.take(name, isPadded ? padded : dense, [.i32, .u32])
    if isPadded {
      return CodeLayout.paddedRows.rows(of: words, bits: bits, as: parts.storedBits, shape: shape)
    }
    guard bits == 7 else { return words }
    // A stream per row is a stream down a column of the transposed words.
    return CodeLayout.columns.rows(
      of: words.transposed(0, 1).contiguous(), bits: bits, as: 8, shape: shape)
  }

  func checkAllUsed(in tensors: PackedTensors) throws {
    // Names without a dot are of kinds of modules.
    for module in names.keys.sorted()
    where module.contains(".") && !tensors.used.contains(module + ".weight_packed") {
      throw tensors.failure(
        module, "config.json has a width for it, but the model has no such quantized module")
    }
  }

  private func checkShape(_ parts: PackedParts) throws {
    let name = parts.module + ".weight_shape"
    guard parts.tensors.has(name) else { return }
    let found = try parts.tensors.take(name, [2], [.i64, .i32]).cast(to: .i64)
      .array(of: Int64.self).map(Int.init)
    guard found == parts.shape else {
      throw ModelError.wrongShape(
        path: parts.tensors.store.path, name: parts.module, found: found, expected: parts.shape)
    }
  }

  /// Zeros are packed along the outputs, with the same offset as codes.
  private func zeros(_ parts: PackedParts) throws -> Tensor {
    let (bits, outputs) = (parts.bits, parts.shape[0])
    let (name, shape) = (parts.module + ".weight_zero_point", [parts.groups, outputs])
    let dense = CodeLayout.columns.shape(bits: bits, outputs: parts.groups, inputs: outputs)
    let padded = Array(
      CodeLayout.paddedRows.shape(bits: bits, outputs: parts.groups, inputs: outputs).reversed())
    let isPadded = parts.tensors.shape(name) == padded && dense != padded
    let words = try parts.tensors.take(name, isPadded ? padded : dense, [.i32, .u32])
    let rows =
      isPadded
      ? CodeLayout.paddedRows.rows(
        of: words.transposed(0, 1).contiguous(), bits: bits, as: 8, shape: shape)
      : CodeLayout.columns.rows(of: words, bits: bits, as: 8, shape: shape)
    return rows.bytes(columns: outputs).transposed(0, 1).contiguous()
  }
}
