extension Tokenizer {
  /// Names of the tokens that end a document, in the order in which they are looked for: where a
  /// vocabulary has several, the first separates documents and later ones end turns of a dialogue.
  ///
  /// GPT-2 and Qwen; Llama 3; Llama 2 and Mixtral; DeepSeek, old and new; Gemma; others.
  package static let endTokens = [
    "<|endoftext|>", "<|end_of_text|>", "</s>", "<｜end▁of▁sentence｜>", "<|end▁of▁sentence|>",
    "<eos>", "[EOS]", "<|eos|>", "<end>", "<|eot_id|>", "<|im_end|>",
  ]

  /// The token that ends a document; `nil` if the tokenizer has none of the usual names.
  public var endToken: Int? {
    Self.endTokens.lazy.compactMap { self.id(of: $0) }.first { self.token($0) != nil }
  }
}
