import MoECore

extension DType {
  /// The type's name in transformers.
  var transformersName: String {
    switch self {
    case .f64: "float64"
    case .bf16: "bfloat16"
    case .f16: "float16"
    default: "float32"
    }
  }
}
