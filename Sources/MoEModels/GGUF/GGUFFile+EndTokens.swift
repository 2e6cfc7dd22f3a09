import MoECore

extension GGUFFile {
  /// Tokens that end a text wherever a vocabulary has them, because files often name only one of
  /// several as the end; the names are those that llama.cpp knows.
  private static let endNames: Set<String> = [
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
    "<end_of_turn>", "<|endoftext|>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]",
    "<|end_of_text|>", "<end_of_utterance>",
  ]

  /// The tokens that end a text: the ends of a text, a turn and a message, and known names.
  func endTokens() throws(GGUFError) -> [Int] {
    let range = 0...(1 << 24)
    var ids: Set<Int> = []
    for name in ["eos", "eot", "eom"] {
      if let id = try optionalInteger("tokenizer.ggml.\(name)_token_id", in: range) {
        ids.insert(id)
      }
    }
    let tokens = try optionalList("tokenizer.ggml.tokens")?.texts() ?? []
    for (id, token) in tokens.enumerated() where Self.endNames.contains(token) { ids.insert(id) }
    return ids.sorted()
  }
}
