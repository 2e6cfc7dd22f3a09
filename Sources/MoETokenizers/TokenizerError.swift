import MoECore
public import SystemPackage

/// Why a tokenizer could not be read, used, or trained.
public struct TokenizerError: Error, Hashable {
  /// The file or folder; `nil` if no file is involved.
  public var path: FilePath?
  /// What is wrong.
  public var reason: Reason

  /// States what is wrong with the tokenizer at `path`.
  public init(path: FilePath? = nil, reason: Reason) {
    self.path = path
    self.reason = reason
  }

  /// One case per kind of problem; `key` is the path in the file, such as `model.merges[7]`.
  public enum Reason: Error, Hashable {
    /// The folder contains no tokenizer.
    case noTokenizer
    /// The file is not JSON; `offset` counts bytes.
    case invalidJSON(offset: Int, expected: String)
    /// The text is not UTF-8.
    case invalidText
    /// A required key is absent.
    case missing(key: String)
    /// A key, or a token of the vocabulary, occurs twice in one object.
    case duplicateKey(key: String)
    /// The value has the wrong JSON type.
    case wrongType(key: String, expected: String)
    /// The value has the right type, but is not allowed.
    case invalidValue(key: String, found: String, expected: String)
    /// A component, or a setting of one, that is not supported.
    case unsupported(key: String, component: String)
    /// A regular expression for which there is no scanner.
    case unknownPattern(key: String, pattern: String)
    /// Two tokens share one id.
    case duplicateID(key: String, id: Int)
    /// A token that is not in the vocabulary.
    case unknownToken(key: String, token: String)
    /// There is no token of this id.
    case noSuchID(Int)
    /// A training setting is invalid.
    case invalidSetting(name: String, found: String, expected: String)
  }
}

extension TokenizerError: CustomStringConvertible {
  /// What is wrong, where, what was expected, and what to change.
  public var description: String {
    path.map { "\($0): \(reason)" } ?? reason.description
  }
}

extension TokenizerError.Reason: CustomStringConvertible {
  /// The problem in one sentence.
  public var description: String {
    switch self {
    case .noTokenizer:
      "the folder holds neither tokenizer.json nor vocab.json with merges.txt; name the folder of a model, or a file"
    case .invalidJSON(let offset, let expected):
      "the file is not valid JSON at byte \(offset): expected \(expected); download it again"
    case .invalidText:
      "the file is not UTF-8 text; convert it first"
    case .missing(let key):
      "'\(key.printableValue)' is missing; this is not a complete tokenizer file, save it again with a current tokenizers library"
    case .duplicateKey(let key):
      "'\(key.printableValue)' occurs twice; remove one of them"
    case .wrongType(let key, let expected):
      "'\(key.printableValue)' must be \(expected)"
    case .invalidValue(let key, let found, let expected):
      "'\(key.printableValue)' is \(found.printableValue); it must be \(expected)"
    case .unsupported(let key, let component):
      "'\(key.printableValue)' needs \(component.printableValue), which is not supported; choose a tokenizer without it"
    case .unknownPattern(let key, let pattern):
      "'\(key.printableValue)' holds the regular expression '\(pattern.printableValue)', which is neither one of those supported (GPT-2, Llama 3, Qwen 2, DeepSeek V3) nor a run of characters such as \\s?[A-Za-z]+; choose a tokenizer with such patterns"
    case .duplicateID(let key, let id):
      "'\(key.printableValue)' uses the id \(id) of another token; give each token a unique id"
    case .unknownToken(let key, let token):
      "'\(key.printableValue)' names the token '\(token.printableValue)', which is not in the vocabulary; add it there or remove the entry"
    case .noSuchID(let id):
      "no token has the id \(id); the ids belong to another tokenizer"
    case .invalidSetting(let name, let found, let expected):
      "\(name) is \(found.printableValue); it must be \(expected)"
    }
  }
}
