public import MoECore
public import SystemPackage

extension Tokenizer {
  /// Reads a tokenizer from a file or folder.
  ///
  /// The path may be a `tokenizer.json`, a folder with one, a folder with `vocab.json` and
  /// `merges.txt`, or a GGUF file with a tokenizer in its metadata.
  ///
  /// - Throws: `FileError` when a file cannot be read, ``TokenizerError`` or `GGUFError` if it is
  ///   not a tokenizer or needs an unsupported component.
  public convenience init(_ path: FilePath) throws {
    if GGUFFile.isGGUF(path) {
      try self.init(try GGUFFile(path))
      return
    }
    guard path.isDirectory else {
      try self.init(reading: path)
      return
    }
    let file = path.appending("tokenizer.json")
    let vocabulary = path.appending("vocab.json")
    let merges = path.appending("merges.txt")
    if file.exists {
      try self.init(reading: file)
    } else if vocabulary.exists, merges.exists {
      try self.init(vocabulary: vocabulary, merges: merges)
    } else {
      throw TokenizerError(path: path, reason: .noTokenizer)
    }
  }

  /// Reads the tokenizer inside a GGUF file.
  ///
  /// - Throws: `GGUFError` if there is none or it is not supported, ``TokenizerError`` if its parts
  ///   are inconsistent.
  public convenience init(_ file: GGUFFile) throws {
    let json = try GGUFTokenizer(file).json()
    do {
      try self.init(json: Array(json.utf8))
    } catch {
      throw TokenizerError(path: file.path, reason: error)
    }
  }

  private convenience init(reading path: FilePath) throws {
    let bytes = try MappedFile(path).copied(upTo: FileLimit.json)
    do {
      try self.init(json: bytes)
    } catch {
      throw TokenizerError(path: path, reason: error)
    }
  }

  /// Reads a tokenizer from the bytes of a `tokenizer.json`.
  convenience init(json bytes: [UInt8]) throws(TokenizerError.Reason) {
    let fields = try JSONFields(try .parsed(bytes), at: "")
    let preTokenizer = try fields.optionalFields("pre_tokenizer").map(PreTokenizer.init)
    let processor = try fields.optionalFields("post_processor").map(PostProcessor.init)
    let decoders = try fields.optionalFields("decoder").map(TokenDecoder.read)
    try self.init(
      TokenizerParts(
        normalizer: try fields.optionalFields("normalizer").map(Normalizer.init),
        preTokenizer: preTokenizer,
        model: try TokenizerModel(
          try fields.fields("model"), isByteLevel: preTokenizer?.isByteLevel ?? false),
        addedTokens: try AddedTokens.read(fields),
        postProcessor: processor ?? PostProcessor(),
        decoders: decoders ?? [.spaced]))
  }

  /// Reads GPT-2's two files: the token ids, and one merge per line.
  ///
  /// `<|endoftext|>`, if it is a token, becomes a special token.
  ///
  /// - Throws: `FileError` if a file cannot be read, ``TokenizerError`` if it is invalid.
  public convenience init(vocabulary: FilePath, merges: FilePath) throws {
    let tokens = try Self.reporting(vocabulary) { bytes throws(TokenizerError.Reason) in
      try Vocabulary(try .parsed(bytes), at: "vocab")
    }
    let table = try Self.reporting(merges) { bytes throws(TokenizerError.Reason) in
      try MergeTable(lines: bytes, tokens)
    }
    let end = "<|endoftext|>"
    let special = tokens.id(of: end).map {
      [AddedToken(content: end, id: Int($0), isSpecial: true)]
    }
    do {
      try self.init(
        TokenizerParts(
          preTokenizer: .byteLevel(addsPrefixSpace: false, pattern: PatternScanner(pattern: .gpt2)),
          model: .bytePair(
            BytePairEncoding(
              vocabulary: tokens, merges: table, settings: .init(), isByteLevel: true)),
          addedTokens: special ?? [], decoders: [.byteLevel]))
    } catch {
      throw TokenizerError(path: vocabulary, reason: error)
    }
  }

  /// Creates a byte tokenizer: ids 0…255 are bytes, ids from 256 on are the special tokens.
  ///
  /// - Throws: ``TokenizerError`` if a special token occurs twice, or is a single character that is
  ///   spelled like a byte.
  public convenience init(bytesWithSpecialTokens specials: [String]) throws(TokenizerError) {
    do {
      var vocabulary = Vocabulary(capacity: 256)
      for byte in UInt8.min ... .max {
        try vocabulary.insert(ByteAlphabet.token(of: [byte]), id: Int(byte), at: "byte \(byte)")
      }
      let tokens = specials.enumerated().map {
        AddedToken(content: $0.element, id: 256 + $0.offset, isSpecial: true)
      }
      try self.init(
        TokenizerParts(
          preTokenizer: .byteLevel(addsPrefixSpace: false, pattern: nil),
          model: .bytePair(
            BytePairEncoding(
              vocabulary: vocabulary, merges: MergeTable(), settings: .init(), isByteLevel: true)),
          addedTokens: tokens, decoders: [.byteLevel]))
    } catch {
      throw TokenizerError(reason: error)
    }
  }

  private static func reporting<Result>(
    _ path: FilePath, _ read: ([UInt8]) throws(TokenizerError.Reason) -> Result
  ) throws -> Result {
    let bytes = try MappedFile(path).copied(upTo: FileLimit.json)
    do {
      return try read(bytes)
    } catch {
      throw TokenizerError(path: path, reason: error)
    }
  }
}

extension MergeTable {
  /// Reads a `merges.txt`: one merge per line, after an optional first line with the version.
  init(lines bytes: [UInt8], _ vocabulary: Vocabulary) throws(TokenizerError.Reason) {
    self.init()
    guard String(validating: bytes, as: UTF8.self) != nil else { throw .invalidText }
    // A byte order mark is skipped, as in the other files of a tokenizer.
    let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var rank = 0
    for (index, line) in lines.enumerated() {
      let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if line.isEmpty || index == 0 && line.starts(with: "#version".utf8) { continue }
      try insert(
        line: String(decoding: line, as: UTF8.self), rank: rank, vocabulary, at: "line \(index + 1)"
      )
      rank += 1
    }
  }
}
