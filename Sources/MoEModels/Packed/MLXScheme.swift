import MoECore
import MoETensor

/// The format of MLX and mlx-lm: `quantization` has one width for all modules and exceptions by path.
///
/// - SeeAlso: [mlx-lm](https://github.com/ml-explore/mlx-lm).
struct MLXScheme: PackedScheme {
  static let title = "MLX"

  /// What the configuration says of a module.
  private enum Entry {
    case dense
    case packed(PackedFormat.Codes, bits: Int, group: Int)
  }

  private let base: Entry
  private let entries: [String: Entry]

  init(_ settings: ConfigurationObject) throws {
    base = try Self.entry(settings)
    var entries: [String: Entry] = [:]
    for (key, value) in settings.values where !Self.ownKeys.contains(key) {
      switch value {
      case .bool(let packed): entries[key] = packed ? base : .dense
      case .object: entries[key] = try Self.entry(settings.object(value, of: key))
      default:
        throw settings.invalid(key, "an object with 'bits' and 'group_size', or false")
      }
    }
    self.entries = entries
  }

  private static let ownKeys: Set<String> = [
    "group_size", "bits", "mode", "quant_method", "linear_class", "quantize_embeddings",
  ]

  private static func entry(_ settings: ConfigurationObject) throws -> Entry {
    let mode = try settings.optionalString("mode") ?? "affine"
    let codes: PackedFormat.Codes
    switch mode {
    case "affine": codes = .affine
    case "mxfp4": codes = .mxfp4
    default: throw settings.invalid("mode", "'affine' or 'mxfp4'")
    }
    return .packed(
      codes, bits: try settings.int("bits", in: 1...16),
      group: try settings.int("group_size", in: 1...65_536))
  }

  func weight(
    _ module: String, _ shape: [Int], in tensors: PackedTensors
  ) throws -> PackedWeight? {
    guard let format = try format(module, inputs: shape[1], in: tensors) else { return nil }
    let parts = try tensors.parts(module, format, shape)
    return try tensors.weight(
      module, format, shape, codes: parts.codes, scales: parts.scales, biases: parts.biases)
  }

  func experts(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, _ shape: [Int],
    in tensors: PackedTensors
  ) throws -> [any LinearWeight]? {
    let name =
      switch projection {
      case .gate: "gate_proj"
      case .up: "up_proj"
      case .down: "down_proj"
      }
    let parent = block.prefix.split(separator: ".").dropLast().joined(separator: ".")
    let module = "\(parent).switch_mlp.\(name)"
    guard let format = try format(module, inputs: shape[1], in: tensors) else {
      guard tensors.has(module + ".weight") else { return nil }
      let stack = try tensors.take(module + ".weight", [experts] + shape, Set(DType.computable))
      return (0..<experts).map { Parameter(stack[$0].cast(to: tensors.dtype)) }
    }
    let parts = try tensors.parts(module, format, shape, front: [experts])
    return try (0..<experts).map { place in
      try tensors.weight(
        module, format, shape, codes: parts.codes[place], scales: parts.scales[place],
        biases: parts.biases?[place])
    }
  }

  /// The format of a module: that of the configuration, unless shapes say otherwise and the module has no entry of its
  /// own; `nil` for dense weights.
  private func format(
    _ module: String, inputs: Int, in tensors: PackedTensors
  ) throws -> PackedFormat? {
    let isPacked = tensors.has(module + ".scales")
    let entry = entries[module]
    if case .dense = entry, isPacked {
      throw tensors.failure(module, "config.json says false for it, but it has scales")
    }
    guard isPacked, case .packed(let codes, let bits, let group) = entry ?? base else {
      guard case .packed = entry else { return nil }
      // An entry for a module that the file has in another form, or not at all.
      if tensors.has(module + ".weight") {
        throw tensors.failure(module, "config.json says that it is quantized, but it has no scales")
      }
      return nil
    }
    guard let words = tensors.shape(module + ".weight")?.last, words <= inputs,
      let groups = tensors.shape(module + ".scales")?.last, groups > 0,
      (words * 32).isMultiple(of: inputs), inputs.isMultiple(of: groups)
    else {
      throw tensors.failure(
        module, "the shapes of its weight and scales fit no width for \(inputs) inputs")
    }
    let found = (bits: words * 32 / inputs, group: inputs / groups)
    guard found == (bits, group) else {
      guard entry == nil, codes == .affine else {
        throw tensors.failure(
          module,
          "config.json says \(bits) bits in groups of \(group), but its shapes are those of \(found.bits) bits in groups of \(found.group)"
        )
      }
      return try tensors.format(module, .affine, bits: found.bits, group: found.group)
    }
    return try tensors.format(module, codes, bits: bits, group: group)
  }

  func checkAllUsed(in tensors: PackedTensors) throws {
    for (module, entry) in entries.sorted(by: { $0.key < $1.key }) {
      if case .dense = entry { continue }
      guard !tensors.used.contains(module + ".weight") else { continue }
      throw tensors.failure(
        module, "config.json has a width for it, but the model has no such module")
    }
  }
}
