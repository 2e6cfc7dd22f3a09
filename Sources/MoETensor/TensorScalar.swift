public import MoECore

/// A Swift type whose values are elements of tensors.
public protocol TensorScalar: BitwiseCopyable, Sendable {
  /// The element type with the same representation.
  static var dtype: DType { get }
}

extension Bool: TensorScalar {
  /// `bool`.
  public static var dtype: DType { .bool }
}
extension UInt8: TensorScalar {
  /// `u8`.
  public static var dtype: DType { .u8 }
}
extension Int8: TensorScalar {
  /// `i8`.
  public static var dtype: DType { .i8 }
}
extension UInt16: TensorScalar {
  /// `u16`.
  public static var dtype: DType { .u16 }
}
extension Int16: TensorScalar {
  /// `i16`.
  public static var dtype: DType { .i16 }
}
extension UInt32: TensorScalar {
  /// `u32`.
  public static var dtype: DType { .u32 }
}
extension Int32: TensorScalar {
  /// `i32`.
  public static var dtype: DType { .i32 }
}
extension UInt64: TensorScalar {
  /// `u64`.
  public static var dtype: DType { .u64 }
}
extension Int64: TensorScalar {
  /// `i64`.
  public static var dtype: DType { .i64 }
}
extension Int: TensorScalar {
  /// `i64`; every supported platform has 64 bits.
  public static var dtype: DType { .i64 }
}
#if !(os(macOS) && arch(x86_64))
extension Float16: TensorScalar {
  /// `f16`.
  public static var dtype: DType { .f16 }
}
#endif
extension Float: TensorScalar {
  /// `f32`.
  public static var dtype: DType { .f32 }
}
extension Double: TensorScalar {
  /// `f64`.
  public static var dtype: DType { .f64 }
}

/// A bfloat16 number: the upper 16 bits of a binary32, with its range and 8 bits of precision.
public struct BFloat16: TensorScalar, Hashable {
  /// `bf16`.
  public static var dtype: DType { .bf16 }

  /// Sign, 8 exponent bits and 7 mantissa bits.
  public var bitPattern: UInt16

  /// Wraps a bit pattern.
  public init(bitPattern: UInt16) { self.bitPattern = bitPattern }

  /// Rounds to the nearest bf16 value, ties to even; NaN stays NaN.
  public init(_ value: Float) {
    let bits = value.bitPattern
    guard !value.isNaN else {
      bitPattern = UInt16(bits >> 16) | 0x40  // A quiet NaN, even if only low bits were set.
      return
    }
    bitPattern = UInt16((bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  /// The same number as a `Float`.
  public var float: Float { Float(bitPattern: UInt32(bitPattern) << 16) }
}
