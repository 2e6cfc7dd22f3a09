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
  ///
  /// - Parameter rows: Rows of the embedding, which must have them.
  /// - Returns: Their ids, in ascending order.
  /// - Throws: `GGUFError` that names the key of a token without a row.
  func endTokens(rows: Int) throws(GGUFError) -> [Int] {
    var ids: Set<Int> = []
    func insert(_ id: Int, _ key: String) throws(GGUFError) {
      guard id < rows else {
        throw invalid(
          key,
          "tokens that are rows of token_embd.weight, which has \(rows); a text would end with \(id)"
        )
      }
      ids.insert(id)
    }
    for name in ["eos", "eot", "eom"] {
      let key = "tokenizer.ggml.\(name)_token_id"
      if let id = try optionalInteger(key, in: 0...(1 << 24)) { try insert(id, key) }
    }
    let key = "tokenizer.ggml.tokens"
    for (id, token) in (try optionalList(key)?.texts() ?? []).enumerated()
    where Self.endNames.contains(token) { try insert(id, key) }
    return ids.sorted()
  }
}
