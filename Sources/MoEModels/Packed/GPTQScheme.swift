import MoECore
import MoETensor

/// The format of GPTQ as AutoGPTQ and GPTQModel write it.
///
/// Codes are streams down the columns of `qweight`. Version 1 stores the code of zero less one, version 2 as it is; files
/// are known that declare the one and store the other, so symmetric weights are judged by their values.
/// - SeeAlso: [GPTQModel](https://github.com/ModelCloud/GPTQModel).
struct GPTQScheme: PackedScheme {
  static let title = "GPTQ"

  /// What the configuration says of a module.
  private struct Entry {
    var bits: Int
    var group: Int
    var isSymmetric: Bool
  }

  private let base: Entry
  private let rules: ModuleRules<Entry?>
  private let version: Version
  /// Whether the configuration names it.
  private let isDeclared: Bool

  private enum Version: String {
    case first = "gptq"
    case second = "gptq_v2"
    case planar = "gptq_p"
  }

  init(_ settings: ConfigurationObject) throws {
    base = try Self.entry(settings, or: nil)
    if let newer = try settings.optionalString("format"),
      let older = try settings.optionalString("checkpoint_format"), newer != older
    {
      throw settings.invalid("format", "'\(older)', as checkpoint_format is, or absent")
    }
    let key = settings.has("checkpoint_format") ? "checkpoint_format" : "format"
    let name = try settings.optionalString(key) ?? Version.first.rawValue
    guard let version = Version(rawValue: name) else {
      throw settings.invalid(key, "'gptq', 'gptq_v2' or 'gptq_p'")
    }
    (self.version, isDeclared) = (version, settings.has(key))
    if let type = try settings.optionalString("pack_dtype"), type != "int32" {
      throw settings.invalid("pack_dtype", "'int32'")
    }
    var rules = ModuleRules<Entry?>()
    if let dynamic = try settings.optionalObject("dynamic") {
      // The order of an object's keys is that of the file: the first that matches counts.
      for (key, value) in dynamic.values {
        let isDense = key.hasPrefix("-:")
        let pattern = isDense || key.hasPrefix("+:") ? String(key.dropFirst(2)) : key
        let entry = isDense ? nil : try Self.entry(dynamic.object(value, of: key), or: base)
        try rules.add(pattern, entry, in: dynamic, key: key)
      }
    }
    self.rules = rules
  }

  private static func entry(_ settings: ConfigurationObject, or base: Entry?) throws -> Entry {
    let bits = try settings.optionalInt("bits", in: 1...16) ?? base?.bits
    let group = try settings.optionalInt("group_size", in: -1...65_536) ?? base?.group
    return Entry(
      bits: try bits ?? settings.int("bits", in: 1...16),
      group: try group ?? settings.int("group_size", in: -1...65_536),
      isSymmetric: try settings.optionalBool("sym") ?? base?.isSymmetric ?? true)
  }

  func weight(
    _ module: String, _ shape: [Int], in tensors: PackedTensors
  ) throws -> PackedWeight? {
    guard tensors.has(module + ".qweight") else { return nil }
    guard let entry = rules.value(for: module) ?? base else {
      throw tensors.failure(module, "config.json leaves it as it was, but it has packed weights")
    }
    let parts = try PackedParts(
      module, in: tensors, bits: entry.bits, group: entry.group, shape: shape)
    let layout: CodeLayout =
      version == .planar ? .planarColumns : .columns
    guard layout == .columns || shape.allSatisfy({ $0.isMultiple(of: 32) }) else {
      throw tensors.failure(
        module, "planar weights must have multiples of 32 outputs and inputs; it has \(shape)")
    }
    let words = try tensors.take(
      module + ".qweight",
      layout.shape(bits: entry.bits, outputs: shape[0], inputs: shape[1]), [.i32, .u32])
    let scales = try tensors.take(
      module + ".scales", [parts.groups, shape[0]], [.f16, .bf16, .f32])
    let zeros = try zeros(parts, layout, entry)
    let order =
      tensors.has(module + ".g_idx")
      ? try parts.order(tensors.take(module + ".g_idx", [shape[1]], [.i32, .i64])) : nil
    let codes = layout.rows(
      of: words, bits: entry.bits, as: parts.storedBits, shape: shape, order: order)
    return try parts.weight(
      codes: codes, scales: scales.transposed(0, 1).contiguous(), zeros: zeros, order: order)
  }

  /// The code of zero of each group, u8 `[outputs, groups]`.
  private func zeros(_ parts: PackedParts, _ layout: CodeLayout, _ entry: Entry) throws -> Tensor? {
    let (tensors, outputs) = (parts.tensors, parts.shape[0])
    let words = layout.shape(bits: entry.bits, outputs: parts.groups, inputs: outputs)
    let stored = try tensors.take(
      parts.module + ".qzeros", [words[1], words[0]], [.i32, .u32])
    // Zeros are streams along the outputs.
    let rows = layout.rows(
      of: stored.transposed(0, 1).contiguous(), bits: entry.bits, as: 8,
      shape: [parts.groups, outputs])
    var codes = rows.bytes(columns: outputs).array(of: UInt8.self)
    let middle = UInt8(1 << (entry.bits - 1))
    if entry.isSymmetric {
      guard let first = codes.first, first == middle || first == middle - 1,
        codes.allSatisfy({ $0 == first })
      else {
        throw tensors.failure(
          parts.module,
          "config.json says that it is symmetric, but its zeros are neither all \(middle) nor all \(middle - 1)"
        )
      }
      let stored = first == middle ? Version.second : .first
      if version != .planar, stored != version {
        tensors.note(
          "config.json \(isDeclared ? "says '\(version.rawValue)'" : "names no version"), but its symmetric zeros are those of '\(stored.rawValue)', and are read so"
        )
      }
      codes = codes.map { _ in middle }
    } else if version == .first {
      let mask = UInt8((1 << entry.bits) - 1)
      if codes.contains(mask) {
        tensors.note(
          "it has a zero of 0, which version 1 of GPTQ stores as \(mask); if answers are wrong, the file holds version 2"
        )
      }
      codes = codes.map { ($0 &+ 1) & mask }
    }
    return Tensor(codes, shape: [parts.groups, outputs]).transposed(0, 1).contiguous()
  }

  func checkAllUsed(in tensors: PackedTensors) throws {
    for (module, entry) in rules.names.sorted(by: { $0.key < $1.key })
    where entry != nil && !tensors.used.contains(module + ".qweight") {
      throw tensors.failure(
        module, "config.json has a rule for it, but the model has no such quantized module")
    }
  }

  /// Older programs write biases of zeros for layers without one.
  func mayIgnore(_ name: String, in tensors: PackedTensors) throws -> Bool {
    guard name.hasSuffix(".bias"),
      tensors.used.contains(String(name.dropLast(".bias".count)) + ".qweight")
    else { return false }
    return try tensors.store.tensor(named: name).cast(to: .f32).array(of: Float.self)
      .allSatisfy { $0 == 0 }
  }
}
