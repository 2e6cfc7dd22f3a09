import CTorch
import MoECore

extension DType {
  /// libtorch's raw value of the type.
  var native: CTorchElementType {
    switch self {
    case .bool: CTORCH_BOOL
    case .u8: CTORCH_U8
    case .i8: CTORCH_I8
    case .u16: CTORCH_U16
    case .i16: CTORCH_I16
    case .u32: CTORCH_U32
    case .i32: CTORCH_I32
    case .u64: CTORCH_U64
    case .i64: CTORCH_I64
    case .f8e4m3: CTORCH_F8E4M3
    case .f8e5m2: CTORCH_F8E5M2
    case .f16: CTORCH_F16
    case .bf16: CTORCH_BF16
    case .f32: CTORCH_F32
    case .f64: CTORCH_F64
    }
  }

  /// The type with libtorch's raw value `native`; ends the program for types that are never created
  /// here.
  init(native: CTorchElementType) {
    switch native {
    case CTORCH_BOOL: self = .bool
    case CTORCH_U8: self = .u8
    case CTORCH_I8: self = .i8
    case CTORCH_U16: self = .u16
    case CTORCH_I16: self = .i16
    case CTORCH_U32: self = .u32
    case CTORCH_I32: self = .i32
    case CTORCH_U64: self = .u64
    case CTORCH_I64: self = .i64
    case CTORCH_F8E4M3: self = .f8e4m3
    case CTORCH_F8E5M2: self = .f8e5m2
    case CTORCH_F16: self = .f16
    case CTORCH_BF16: self = .bf16
    case CTORCH_F32: self = .f32
    case CTORCH_F64: self = .f64
    default: programmerError("libtorch's element type \(native.rawValue) has no counterpart")
    }
  }
}
