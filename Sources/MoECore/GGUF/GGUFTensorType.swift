/// How the elements of a tensor in a GGUF file are stored.
///
/// Quantized types store blocks of 32 or 256 neighbouring elements of a row, each with its own scale. Blocks of 256, which
/// ggml calls K-quants, divide into groups of 16 or 32 whose scales are codes, too.
///
/// - SeeAlso: [The GGUF format](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
public enum GGUFTensorType: UInt32, Hashable, Codable, Sendable, CaseIterable {
  /// IEEE 754 binary32.
  case f32 = 0
  /// IEEE 754 binary16.
  case f16 = 1
  /// Blocks of 4-bit codes: `scale · (code − 8)`.
  case q4x0 = 2
  /// Blocks of 4-bit codes: `scale · code + minimum`.
  case q4x1 = 3
  /// Blocks of 5-bit codes: `scale · (code − 16)`.
  case q5x0 = 6
  /// Blocks of 5-bit codes: `scale · code + minimum`.
  case q5x1 = 7
  /// Blocks of 8-bit codes: `scale · code`.
  case q8x0 = 8
  /// Blocks of 256 with 2-bit codes: `scale · code − minimum` in groups of 16.
  case q2k = 10
  /// Blocks of 256 with 3-bit codes: `scale · (code − 4)` in groups of 16.
  case q3k = 11
  /// Blocks of 256 with 4-bit codes: `scale · code − minimum` in groups of 32.
  case q4k = 12
  /// Blocks of 256 with 5-bit codes: `scale · code − minimum` in groups of 32.
  case q5k = 13
  /// Blocks of 256 with 6-bit codes: `scale · (code − 32)` in groups of 16.
  case q6k = 14
  /// Blocks of 4-bit codes for 16 unevenly spaced values.
  case iq4nl = 20
  /// bfloat16.
  case bf16 = 30
  /// Blocks of 4-bit floating-point numbers whose scale is a power of two.
  case mxfp4 = 39

  /// The number of elements in a block.
  public var blockSize: Int {
    switch self {
    case .f32, .f16, .bf16: 1
    case .q4x0, .q4x1, .q5x0, .q5x1, .q8x0, .iq4nl, .mxfp4: 32
    case .q2k, .q3k, .q4k, .q5k, .q6k: 256
    }
  }

  /// The number of bytes in a block.
  public var blockBytes: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    case .q4x0: 2 + 16
    case .q4x1: 2 + 2 + 16
    case .q5x0: 2 + 4 + 16
    case .q5x1: 2 + 2 + 4 + 16
    case .q8x0: 2 + 32
    case .q2k: 16 + 64 + 2 + 2
    case .q3k: 32 + 64 + 12 + 2
    case .q4k: 2 + 2 + 12 + 128
    case .q5k: 2 + 2 + 12 + 32 + 128
    case .q6k: 128 + 64 + 16 + 2
    case .iq4nl: 2 + 16
    case .mxfp4: 1 + 16
    }
  }

  /// The type of plain elements; `nil` for blocks.
  public var dtype: DType? {
    switch self {
    case .f32: .f32
    case .f16: .f16
    case .bf16: .bf16
    default: nil
    }
  }

  /// The format's name of a type, supported or not.
  static func name(of number: UInt32) -> String {
    names[number] ?? "of number \(number), which is unknown"
  }

  private static let names: [UInt32: String] = [
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1",
    10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS",
    17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S",
    23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16",
    34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0", 42: "Q2_0",
  ]
}

extension GGUFTensorType: CustomStringConvertible {
  /// The format's name, for example `Q4_0`.
  public var description: String { Self.name(of: rawValue) }
}
