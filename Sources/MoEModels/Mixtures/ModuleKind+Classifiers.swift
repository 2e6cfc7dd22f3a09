extension ModuleKind {
  /// The kind of a linear layer of a text classifier.
  ///
  /// - Parameter name: For example `encoder.encoder.layer.0.attention.self.query`, `gate` or `experts.1.up_proj`.
  init(ofClassifier name: String) {
    let parts = name.split(separator: ".")
    if !name.hasPrefix(TextClassifier.encoderPrefix) {
      self = parts[0] == "experts" ? .experts : parts[0] == "gate" ? .router : .shared
    } else {
      self = parts.contains("attention") ? .attention : .dense
    }
  }
}
