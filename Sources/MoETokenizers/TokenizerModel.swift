import MoECore

/// What turns pieces of text into ids.
enum TokenizerModel: Sendable {
  case bytePair(BytePairEncoding)
  case wordPiece(WordPiece)

  var vocabulary: Vocabulary {
    switch self {
    case .bytePair(let model): model.vocabulary
    case .wordPiece(let model): model.vocabulary
    }
  }

  /// Appends the ids of one piece of text.
  func encode(
    _ text: Span<UInt8>, _ range: Range<Int>, _ scratch: inout EncodingScratch,
    into output: inout [Int]
  ) {
    switch self {
    case .bytePair(let model): model.encode(text, range, &scratch, into: &output)
    case .wordPiece(let model): model.encode(text, range, into: &output)
    }
  }

  /// Reads the `model` of a tokenizer file; very old files with BPE have no type.
  init(_ fields: JSONFields, isByteLevel: Bool) throws(TokenizerError.Reason) {
    let isUnnamed = fields.value("type") == nil && fields.value("merges") != nil
    let type = isUnnamed ? "BPE" : try fields.type()
    switch type {
    case "BPE":
      self = .bytePair(try BytePairEncoding(fields, isByteLevel: isByteLevel))
    case "WordPiece":
      guard !isByteLevel else { throw fields.unsupported("WordPiece after ByteLevel") }
      self = .wordPiece(try WordPiece(fields))
    default: throw fields.unsupported("the model \(type)")
    }
  }
}
