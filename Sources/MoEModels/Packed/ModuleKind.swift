/// What a module of a model does, which decides how many bits it deserves.
public enum ModuleKind: String, Hashable, Codable, Sendable, CaseIterable {
  /// Token vectors.
  case embedding
  /// Projections of queries, keys, values and the attention's output.
  case attention
  /// Gates that choose experts, or scale a shared one.
  case router
  /// Experts that a router chooses.
  case experts
  /// Experts that process every token.
  case shared
  /// Networks of layers without experts.
  case dense
  /// Scores of the next token.
  case head
  /// Normalizations and biases, which are never packed.
  case other

  /// The kind of a module or of one of its weights.
  ///
  /// - Parameters:
  ///   - name: For example `model.layers.0.self_attn.q_proj`, with or without `.weight`.
  ///   - names: How the family names its sparse layers.
  public init(of name: String, names: WeightNames) {
    let parts = name.split(separator: ".").map(String.init)
    let module =
      ["weight", "bias", "scales", "biases"].contains(parts.last) ? parts.dropLast() : parts[...]
    let last = module.last ?? ""
    if name.hasSuffix(".bias") || last.contains("norm") || last == "e_score_correction_bias" {
      self = .other
    } else if module.contains("embed_tokens") {
      self = .embedding
    } else if module.first == "lm_head" {
      self = .head
    } else if module.contains("self_attn") {
      self = .attention
    } else if last == "gate" || last == names.shared + "_gate" {
      self = .router
    } else if module.contains("experts") {
      self = .experts
    } else if !names.shared.isEmpty, module.contains(names.shared) {
      self = .shared
    } else {
      self = .dense
    }
  }
}
