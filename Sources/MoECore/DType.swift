/// Element type of a tensor, in memory and in files.
///
/// The raw value is the short name shown to and typed by users: `f32`, `bf16`, `i64`.
public enum DType: String, Hashable, Codable, Sendable, CaseIterable {
  /// Boolean, one byte, 0 or 1.
  case bool
  /// Unsigned 8-bit integer.
  case u8
  /// Signed 8-bit integer.
  case i8
  /// Unsigned 16-bit integer.
  case u16
  /// Signed 16-bit integer.
  case i16
  /// Unsigned 32-bit integer.
  case u32
  /// Signed 32-bit integer.
  case i32
  /// Unsigned 64-bit integer.
  case u64
  /// Signed 64-bit integer.
  case i64
  /// 8-bit float with 4 exponent and 3 mantissa bits, finite values and NaN only (E4M3FN).
  case f8e4m3
  /// 8-bit float with 5 exponent and 2 mantissa bits.
  case f8e5m2
  /// IEEE 754 binary16.
  case f16
  /// bfloat16: the upper half of a binary32.
  case bf16
  /// IEEE 754 binary32.
  case f32
  /// IEEE 754 binary64.
  case f64

  /// Bytes per element.
  public var byteSize: Int {
    switch self {
    case .bool, .u8, .i8, .f8e4m3, .f8e5m2: 1
    case .u16, .i16, .f16, .bf16: 2
    case .u32, .i32, .f32: 4
    case .u64, .i64, .f64: 8
    }
  }

  /// Whether the elements are floating-point numbers, for which gradients exist.
  public var isFloatingPoint: Bool {
    switch self {
    case .f8e4m3, .f8e5m2, .f16, .bf16, .f32, .f64: true
    case .bool, .u8, .i8, .u16, .i16, .u32, .i32, .u64, .i64: false
    }
  }
}

extension DType: CustomStringConvertible {
  /// The short name, for example `bf16`.
  public var description: String { rawValue }
}
