package import MoECore

extension DType {
  /// The types in which models compute.
  static let computable: [DType] = [.f64, .f32, .bf16, .f16]

  /// The type's name in `config.json`, which is PyTorch's; that of f32 for a type in which models do not compute.
  package var configurationName: String {
    switch self {
    case .f64: "float64"
    case .bf16: "bfloat16"
    case .f16: "float16"
    default: "float32"
    }
  }
}

extension ConfigurationObject {
  /// The type to compute in: that of `dtype`, or of `torch_dtype`, as files before transformers 5 name it.
  ///
  /// - Returns: The type; `nil` if the file names none.
  /// - Throws: `ConfigurationError` for a type in which models do not compute.
  package func computedType() throws(ConfigurationError) -> DType? {
    for key in ["dtype", "torch_dtype"] {
      guard let text = try optionalString(key) else { continue }
      let name = text.hasPrefix("torch.") ? String(text.dropFirst("torch.".count)) : text
      guard let type = DType.computable.first(where: { $0.configurationName == name }) else {
        let names = DType.computable.map(\.configurationName).joined(separator: ", ")
        throw invalid(key, "one of \(names)")
      }
      return type
    }
    return nil
  }
}
