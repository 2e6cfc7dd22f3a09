extension StoredModel {
  /// The names of the linear layers that a tensor of a GGUF file about this model describes, without `.weight`: one, or
  /// one per expert; `nil` for an unknown name.
  package func modules(ofGGUF tensor: String) -> [String]? {
    guard tensor.hasSuffix(".weight") else { return nil }
    return GGUFNames(names).place(of: tensor)?.names(experts: configuration.experts).map {
      String($0.dropLast(".weight".count))
    }
  }
}
