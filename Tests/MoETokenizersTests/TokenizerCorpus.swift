@testable import MoETokenizers

/// Tokenizer files that must be refused, each with a word of the message that says why.
enum TokenizerCorpus {
  /// A file that is read, with parts to replace.
  static func file(
    model: String? = nil, vocab: String = #"{"a": 0, "b": 1, "ab": 2}"#,
    merges: String = #"["a b"]"#, extra: String = ""
  ) -> String {
    let model = model ?? #"{"type": "BPE", "vocab": \#(vocab), "merges": \#(merges)}"#
    return #"{"model": \#(model)\#(extra)}"#
  }

  private static func with(_ key: String, _ value: String) -> String {
    file(extra: #", "\#(key)": \#(value)"#)
  }

  private static func added(_ tokens: String) -> String { with("added_tokens", "[\(tokens)]") }

  private static func bpe(_ setting: String) -> String {
    file(
      model: #"{"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [], \#(setting)}"#)
  }

  private static func wordPiece(_ fields: String) -> String {
    file(model: #"{"type": "WordPiece", \#(fields)}"#)
  }

  private static let nested = String(
    repeating: #"{"type":"Sequence","normalizers":["#, count: 5_000)

  /// Steps that each double the text, too many to be run.
  private static let doublings = Array(
    repeating: #"{"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}"#, count: 60
  ).joined(separator: ",")

  static let malformed: [(name: String, text: String, reason: String)] = [
    ("empty file", "", "a value"),
    ("white space", " \n", "a value"),
    ("text", "tokenizer", "'true'"),
    ("list at the top", "[]", "an object"),
    ("number at the top", "12", "an object"),
    ("unclosed", #"{"model": {"#, "a quoted key"),
    ("text after the end", file() + "x", "nothing after"),
    ("trailing comma", #"{"model": 1,}"#, "a quoted key"),
    ("missing comma", #"{"a": 1 "b": 2}"#, "','"),
    ("comment", "{/* */}", "a quoted key"),
    ("leading zero", #"{"model": 01}"#, "no leading zero"),
    ("broken number", #"{"model": 1.}"#, "a digit"),
    ("control character", "{\"a\u{1}\": 1}", "an escape"),
    ("lone surrogate", #"{"\ud800": 1}"#, "surrogates"),
    ("broken escape", #"{"\x41": 1}"#, "escapes"),
    ("nested deep", nested, "levels of nesting"),
    ("lists nested deep", String(repeating: "[", count: 100_000), "levels of nesting"),
    ("no model", "{}", "'model' is missing"),
    ("model null", file(model: "null"), "'model' is missing"),
    ("model a string", file(model: #""BPE""#), "'model' must be an object"),
    ("model twice", file(extra: #", "model": {}"#), "occurs twice"),
    ("model without type", file(model: "{}"), "'model.type' is missing"),
    ("unknown model", file(model: #"{"type": "Unigram"}"#), "the model Unigram"),
    ("no vocabulary", file(model: #"{"type": "BPE", "merges": []}"#), "'model.vocab' is missing"),
    ("no merges", file(model: #"{"type": "BPE", "vocab": {}}"#), "'model.merges' is missing"),
    ("vocabulary a list", file(vocab: "[]"), "'model.vocab' must be an object"),
    ("id a string", file(vocab: #"{"a": "0"}"#), "'model.vocab.a' must be an integer"),
    ("id a fraction", file(vocab: #"{"a": 0.5}"#), "an integer in"),
    ("negative id", file(vocab: #"{"a": -1}"#), "'model.vocab.a' is -1"),
    ("huge id", file(vocab: #"{"a": 4194305}"#), "'model.vocab.a' is 4194305"),
    ("id above 64 bits", file(vocab: #"{"a": 99999999999999999999}"#), "an integer in"),
    ("two tokens of one id", file(vocab: #"{"a": 0, "b": 0}"#), "uses the id 0"),
    ("one token twice", file(vocab: #"{"a": 0, "a": 1}"#), "occurs twice"),
    ("merges an object", file(merges: "{}"), "'model.merges' must be a list"),
    ("merge a number", file(merges: "[1]"), "'model.merges[0]'"),
    ("merge of one", file(merges: #"["ab"]"#), "two tokens"),
    ("merge of three", file(merges: #"["a b a"]"#), "two tokens"),
    ("merge of three strings", file(merges: #"[["a", "b", "a"]]"#), "two strings"),
    ("merge of an unknown token", file(merges: #"["a c"]"#), "names the token 'c'"),
    ("merge into an unknown token", file(merges: #"["b a"]"#), "names the token 'ba'"),
    ("merge of nothing", file(merges: #"[["", ""]]"#), "names the token ''"),
    ("unknown unknown token", bpe(#""unk_token": "?""#), "names the token '?'"),
    ("dropout", bpe(#""dropout": 0.1"#), "dropout"),
    ("word suffix", bpe(#""end_of_word_suffix": "</w>""#), "end_of_word_suffix '</w>'"),
    ("flag a number", bpe(#""fuse_unk": 1"#), "'model.fuse_unk' must be true or false"),
    ("WordPiece without unknown", wordPiece(#""vocab": {}"#), "'model.unk_token' is missing"),
    (
      "WordPiece with endless words",
      wordPiece(
        #""vocab": {"u": 0}, "unk_token": "u", "continuing_subword_prefix": "", "max_input_chars_per_word": 9999999"#
      ), "max_input_chars_per_word"
    ),
    (
      "WordPiece of bytes",
      file(model: #"{"type": "WordPiece"}"#, extra: #", "pre_tokenizer": {"type": "ByteLevel"}"#),
      "WordPiece after ByteLevel"
    ),
    (
      "fallback of bytes to bytes",
      file(
        model: #"{"type": "BPE", "vocab": {"a": 0}, "merges": [], "byte_fallback": true}"#,
        extra: #", "pre_tokenizer": {"type": "ByteLevel"}"#), "byte_fallback after ByteLevel"
    ),
    ("normalizer without type", with("normalizer", "{}"), "'normalizer.type' is missing"),
    ("normalizer a list", with("normalizer", "[]"), "'normalizer' must be an object"),
    ("unknown normalizer", with("normalizer", #"{"type": "Precompiled"}"#), "Precompiled"),
    (
      "unknown inner normalizer",
      with("normalizer", #"{"type": "Sequence", "normalizers": [{"type": "Nmt"}]}"#), "Nmt"
    ),
    (
      "empty replacement pattern",
      with("normalizer", #"{"type": "Replace", "pattern": {"String": ""}, "content": ""}"#),
      "is empty"
    ),
    (
      "replacement by regex",
      with("normalizer", #"{"type": "Replace", "pattern": {"Regex": "a+"}, "content": ""}"#),
      "Replace of something other"
    ),
    (
      "text that explodes",
      with("normalizer", #"{"type": "Sequence", "normalizers": [\#(doublings)]}"#), "times as long"
    ),
    (
      "decoder that explodes",
      with("decoder", #"{"type": "Sequence", "decoders": [\#(doublings)]}"#), "times as long"
    ),
    (
      "endless prefix",
      with(
        "normalizer", #"{"type": "Prepend", "prepend": "\#(String(repeating: "x", count: 5_000))"}"#
      ),
      "5000 bytes long"
    ),
    ("unknown pre-tokenizer", with("pre_tokenizer", #"{"type": "Punctuation"}"#), "Punctuation"),
    (
      "unknown regex",
      with(
        "pre_tokenizer",
        #"{"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"}"#), #"'\w+'"#
    ),
    (
      "split by a string",
      with(
        "pre_tokenizer", #"{"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated"}"#),
      "Split by something other"
    ),
    (
      "unknown behaviour",
      with(
        "pre_tokenizer",
        #"{"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}"}, "behavior": "Contiguous"}"#),
      "'Contiguous'"
    ),
    (
      "step after ByteLevel",
      with(
        "pre_tokenizer",
        #"{"type": "Sequence", "pretokenizers": [{"type": "ByteLevel"}, {"type": "Digits"}]}"#),
      "after ByteLevel"
    ),
    (
      "mark of two characters",
      with("pre_tokenizer", #"{"type": "Metaspace", "replacement": "__"}"#), "one character"
    ),
    (
      "unknown scheme",
      with(
        "pre_tokenizer",
        #"{"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"}"#), "'last'"
    ),
    ("unknown decoder", with("decoder", #"{"type": "CTC"}"#), "the decoder CTC"),
    (
      "fallback after fuse",
      with(
        "decoder",
        #"{"type": "Sequence", "decoders": [{"type": "Fuse"}, {"type": "ByteFallback"}]}"#),
      "after Fuse"
    ),
    (
      "negative strip",
      with("decoder", #"{"type": "Strip", "content": " ", "start": -1, "stop": 0}"#),
      "'decoder.start' is -1"
    ),
    ("unknown processor", with("post_processor", #"{"type": "X"}"#), "the post-processor X"),
    (
      "template without text",
      with("post_processor", #"{"type": "TemplateProcessing", "single": []}"#),
      "0 times"
    ),
    (
      "template of an unknown token",
      with(
        "post_processor",
        #"{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x"}}]}"#),
      "names the token 'x'"
    ),
    (
      "processor with an unknown id",
      with("post_processor", #"{"type": "BertProcessing", "cls": ["a", 0], "sep": ["z", 77]}"#),
      "of id 77"
    ),
    ("added tokens an object", with("added_tokens", "{}"), "must be a list"),
    ("added token without id", added(#"{"content": "x"}"#), "'added_tokens[0].id' is missing"),
    ("added token without content", added(#"{"id": 5}"#), "'added_tokens[0].content' is missing"),
    ("added token of a negative id", added(#"{"id": -5, "content": "x"}"#), "is -5"),
    ("added token of a used id", added(#"{"id": 1, "content": "x"}"#), "uses the id 1"),
    ("known token of another id", added(#"{"id": 9, "content": "a"}"#), "must be 0"),
    (
      "added token twice",
      added(#"{"id": 5, "content": "x"}, {"id": 6, "content": "x"}"#), "occurs twice"
    ),
    (
      "added id twice", added(#"{"id": 5, "content": "x"}, {"id": 5, "content": "y"}"#),
      "uses the id 5"
    ),
    (
      "endless added token",
      added(#"{"id": 5, "content": "\#(String(repeating: "x", count: 5_000))"}"#), "5000 bytes long"
    ),
  ]
}
