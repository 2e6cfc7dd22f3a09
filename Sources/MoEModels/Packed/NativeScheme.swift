import MoECore
import MoETensor

/// Switchyard's own format: `quantization_config` names every packed module, with its width.
///
/// The tensors of a module are those of MLX, without biases for symmetric codes; every expert has modules of its own.
/// - SeeAlso: `Documentation/quantization.md`.
struct NativeScheme: PackedScheme {
  static let title = "Switchyard"
  /// The value of `quant_method`.
  static let method = "switchyard"
  /// The version that is written and read.
  static let version = 1

  private let formats: [String: PackedFormat]

  init(_ settings: ConfigurationObject) throws {
    let version = try settings.int("version", in: 1...(1 << 20))
    guard version == Self.version else {
      throw settings.invalid(
        "version", "\(Self.version), the only one that this program reads; use a newer program")
    }
    let modules = try settings.object("modules")
    var formats: [String: PackedFormat] = [:]
    for (module, value) in modules.values {
      formats[module] = try Self.format(modules.object(value, of: module))
    }
    self.formats = formats
  }

  private static func format(_ entry: ConfigurationObject) throws -> PackedFormat {
    let name = try entry.optionalString("codes") ?? PackedFormat.Codes.affine.rawValue
    guard let codes = PackedFormat.Codes(rawValue: name) else {
      throw entry.invalid(
        "codes", "one of \(PackedFormat.Codes.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let bits = try entry.int("bits", in: 1...16),
      group = try entry.int("group_size", in: 1...65_536)
    guard let format = PackedFormat(codes, bits: bits, group: group) else {
      throw entry.invalid(
        "bits",
        "2, 3, 4, 5, 6 or 8, with a 'group_size' of 32, 64 or 128 (it is \(group)); 4 for mxfp4 and iq4nl"
      )
    }
    return format
  }

  /// The entry of a module, as ``init(_:)`` reads it.
  static func entry(_ format: PackedFormat) -> JSONValue {
    var object: JSONObject = [
      "bits": .number(Double(format.bits)), "group_size": .number(Double(format.group)),
    ]
    if format.codes != .affine { object["codes"] = .string(format.codes.rawValue) }
    return .object(object)
  }

  func weight(
    _ module: String, _ shape: [Int], in tensors: PackedTensors
  ) throws -> PackedWeight? {
    guard let format = formats[module] else { return nil }
    let parts = try tensors.parts(module, format, shape)
    return try tensors.weight(
      module, format, shape, codes: parts.codes, scales: parts.scales, biases: parts.biases)
  }

  func bits(_ module: String) -> Int? { formats[module]?.bits }

  func checkAllUsed(in tensors: PackedTensors) throws {
    if let module = formats.keys.sorted().first(where: { !tensors.used.contains($0 + ".weight") }) {
      throw tensors.failure(
        module, "config.json has a width for it, but the model has no such module")
    }
  }

  /// Zeros between experts, so that each begins on a page.
  static let padding = "padding."

  func mayIgnore(_ name: String, in tensors: PackedTensors) throws -> Bool {
    guard name.hasPrefix(Self.padding), Int(name.dropFirst(Self.padding.count)) != nil,
      let header = tensors.store.header(named: name), header.dtype == .u8,
      header.shape.reduce(1, *) < 4096
    else { return false }
    return try tensors.store.tensor(named: name).array(of: UInt8.self).allSatisfy { $0 == 0 }
  }
}
