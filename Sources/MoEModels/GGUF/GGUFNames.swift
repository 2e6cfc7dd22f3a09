/// The names of tensors in GGUF files, and what they are in the checkpoints of a family.
struct GGUFNames {
  /// The family's names.
  let family: WeightNames

  /// Names what a family's checkpoints hold.
  init(_ family: WeightNames) { self.family = family }

  private static let outer = [
    "token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head",
  ]
  private static let attention = [
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
  ]
  private static let projections = [
    "ffn_gate": "gate_proj", "ffn_up": "up_proj", "ffn_down": "down_proj",
  ]
  /// Ends of names of tensors that hold the matrices of all experts of a layer, and of shared experts.
  private static let (stacked, shared) = ("_exps", "_shexp")
  /// The gate of a shared expert, whose only row is stored as a vector.
  private static let sharedGate = "ffn_gate_inp_shexp"

  /// What a tensor is.
  enum Place: Hashable {
    /// One weight.
    case one(String)
    /// A gate with one output, which may be stored as a vector.
    case row(String)
    /// The weights of all experts, named by what precedes and follows an expert's number.
    case stack(before: String, after: String)
  }

  /// What a tensor is; `nil` for an unknown name.
  func place(of tensor: String) -> Place? {
    let parts = tensor.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard let end = parts.last, ["weight", "bias"].contains(end) else { return nil }
    if parts.count == 2 { return Self.outer[parts[0]].map { .one("\($0).\(end)") } }
    guard parts.count == 4, parts[0] == "blk", let layer = Int(parts[1]), "\(layer)" == parts[1]
    else { return nil }
    return inner(parts[2], "model.layers.\(layer)", end)
  }

  /// The layer that a tensor is of; `nil` for one outside of layers.
  static func layer(of tensor: String) -> Int? {
    let parts = tensor.split(separator: ".")
    return parts.count > 1 && parts[0] == "blk" ? Int(parts[1]) : nil
  }

  private func inner(_ name: String, _ prefix: String, _ end: String) -> Place? {
    if let name = Self.attention[name] { return .one("\(prefix).\(name).\(end)") }
    if let name = Self.projections[name] { return .one("\(prefix).mlp.\(name).\(end)") }
    let block = "\(prefix).\(family.block)"
    if name == "ffn_gate_inp" { return .one("\(block).gate.\(end)") }
    if name == Self.sharedGate { return .row("\(block).\(family.shared)_gate.\(end)") }
    if name.hasSuffix(Self.shared) {
      return Self.projections[String(name.dropLast(Self.shared.count))].map {
        .one("\(block).\(family.shared).\($0).\(end)")
      }
    }
    guard name.hasSuffix(Self.stacked), end == "weight" else { return nil }
    let own = ["ffn_gate": family.gate, "ffn_up": family.up, "ffn_down": family.down]
    return own[String(name.dropLast(Self.stacked.count))].map {
      .stack(before: "\(block).experts.", after: ".\($0).weight")
    }
  }
}

extension GGUFNames.Place {
  /// The names in checkpoints, one per expert for a stack.
  func names(experts: Int) -> [String] {
    switch self {
    case .one(let name), .row(let name): [name]
    case .stack(let before, let after): (0..<experts).map { "\(before)\($0)\(after)" }
    }
  }
}
