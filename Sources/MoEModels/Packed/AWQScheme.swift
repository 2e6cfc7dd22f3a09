import MoECore
import MoETensor

/// The GEMM format of AWQ: eight outputs share a word, in an order of their own; 4 bits.
///
/// - SeeAlso: [AutoAWQ](https://github.com/casper-hansen/AutoAWQ).
struct AWQScheme: PackedScheme {
  static let title = "AWQ"

  private let group: Int

  init(_ settings: ConfigurationObject) throws {
    let bits = try settings.int("bits", "w_bit", in: 1...16)
    guard bits == 4 else { throw settings.invalid("bits", "4, the only width of AWQ's layout") }
    let version = try settings.optionalString("version") ?? "gemm"
    guard version.lowercased() == "gemm" else {
      throw settings.invalid("version", "'gemm', the only layout that is read")
    }
    group = try settings.int("group_size", "q_group_size", in: -1...65_536)
  }

  func weight(
    _ module: String, _ shape: [Int], in tensors: PackedTensors
  ) throws -> PackedWeight? {
    guard tensors.has(module + ".qweight") else { return nil }
    guard shape[0].isMultiple(of: 8) else {
      throw tensors.failure(module, "it has \(shape[0]) outputs; AWQ packs multiples of 8")
    }
    let parts = try PackedParts(module, in: tensors, bits: 4, group: group, shape: shape)
    let layout = CodeLayout.awq
    let words = try tensors.take(
      module + ".qweight", layout.shape(bits: 4, outputs: shape[0], inputs: shape[1]), [.i32, .u32])
    let scales = try tensors.take(
      module + ".scales", [parts.groups, shape[0]], [.f16, .bf16, .f32])
    // Zeros lie as codes do, with groups for inputs.
    let stored = try tensors.take(
      module + ".qzeros", layout.shape(bits: 4, outputs: shape[0], inputs: parts.groups),
      [.i32, .u32])
    let zeros = layout.rows(of: stored, bits: 4, as: 8, shape: [shape[0], parts.groups])
    return try parts.weight(
      codes: layout.rows(of: words, bits: 4, as: 4, shape: shape),
      scales: scales.transposed(0, 1).contiguous(),
      zeros: zeros.bytes(columns: parts.groups), order: nil)
  }
}

extension Tensor {
  /// The first bytes of each row, u8 `[rows, columns]`.
  func bytes(columns: Int) -> Tensor {
    let width = size(1) * dtype.byteSize
    var result: [UInt8] = []
    result.reserveCapacity(size(0) * columns)
    withBytes { bytes in
      for row in 0..<size(0) {
        for column in 0..<columns {
          result.append(
            unsafe bytes.unsafeLoad(fromByteOffset: row * width + column, as: UInt8.self))
        }
      }
    }
    return Tensor(result, shape: [size(0), columns])
  }
}
