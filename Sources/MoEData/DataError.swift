import MoECore
public import SystemPackage

/// Why text or tokens cannot be trained on.
public enum DataError: Error, Hashable {
  /// The file has no bytes.
  case empty(FilePath)
  /// The file is not UTF-8; `offset` counts bytes.
  case notText(FilePath, offset: Int)
  /// A line of a JSONL file is not an object with the text.
  case invalidLine(FilePath, line: Int, problem: String)
  /// A record of a JSON list is invalid; records are counted from 1.
  case invalidRecord(FilePath, record: Int, problem: String)
  /// There are too few tokens for a single window.
  case tooShort(FilePath, tokens: Int, needed: Int)
  /// The file contains tensors, but not tokens as written by ``TokenFileWriter``.
  case notTokens(FilePath, problem: String)
  /// The tokens come from another tokenizer.
  case otherTokenizer(FilePath, found: String, expected: String)
  /// A token is outside the vocabulary.
  case tokenOutsideVocabulary(FilePath, token: Int, vocabulary: Int)
  /// All texts are of one class, so there is nothing to learn.
  case singleClass(FilePath, name: String)
  /// There are fewer texts than requested.
  case tooFewTexts(FilePath, found: Int, needed: Int)
  /// A stretch of a text offers no place to cut it, and is too long to be encoded at once; both numbers count bytes.
  case uncut(FilePath, bytes: Int, limit: Int)
  /// A compressed file that cannot be decompressed.
  case damaged(FilePath, problem: String)
  /// The file contains an encoder's states for other texts.
  case otherStates(FilePath)
}

extension DataError: CustomStringConvertible {
  /// What is wrong, where, and what to change.
  public var description: String {
    switch self {
    case .empty(let path):
      "\(path) is empty; name a file with text"
    case .notText(let path, let offset):
      "\(path) is not UTF-8 text at byte \(offset); convert it first, for example with iconv"
    case .invalidLine(let path, let line, let problem):
      "\(path): line \(line) \(problem)"
    case .invalidRecord(let path, let record, let problem):
      "\(path): record \(record) of the list \(problem)"
    case .tooShort(let path, let tokens, let needed):
      "\(path) gives \(NumberText.counted(tokens, "token")), but a window needs \(needed); take a longer text, or a smaller data.context"
    case .notTokens(let path, let problem):
      "\(path) is not a token file: \(problem)"
    case .otherTokenizer(let path, let found, let expected):
      "\(path) was made with another tokenizer (\(found.prefix(12))…, here \(expected.prefix(12))…); recreate it, or use the tokenizer that it was made with"
    case .tokenOutsideVocabulary(let path, let token, let vocabulary):
      "\(path) holds the token \(token), but the vocabulary has \(vocabulary); the file is damaged, recreate it"
    case .singleClass(let path, let name):
      "\(path) contains only texts of the class '\(name)'; name a file with at least two classes"
    case .tooFewTexts(let path, let found, let needed):
      "\(path) contains \(found) texts, but \(needed) are requested; request fewer, or name more files"
    case .uncut(let path, let bytes, let limit):
      "\(path) has \(ByteCount(bytes)) without a place at which the tokenizer allows to cut it, such as a line break or a space between words; at most \(ByteCount(limit)) are encoded at once, so check that it is text, or split it"
    case .damaged(let path, let problem): "\(path) \(problem)"
    case .otherStates(let path):
      "\(path) contains the states of other texts; remove it"
    }
  }
}
