public import SystemPackage

/// Why a GGUF file was refused.
public struct GGUFError: Error, Hashable {
  /// The file.
  public var path: FilePath
  /// The rule that it breaks.
  public var reason: Reason

  /// States that the file at `path` breaks a rule.
  public init(path: FilePath, reason: Reason) {
    self.path = path
    self.reason = reason
  }

  /// The rules, one case each.
  public enum Reason: Error, Hashable {
    /// The file does not begin with the format's letters.
    case notGGUF
    /// The file is big-endian.
    case bigEndian
    /// A version of the format that is not supported.
    case unsupportedVersion(UInt32)
    /// The file ends inside something.
    case truncated(what: String, offset: Int)
    /// The file claims more than it can hold, or than is allowed.
    case tooMany(what: String, count: UInt64, limit: Int)
    /// A text is not UTF-8.
    case invalidText(what: String)
    /// A metadata key occurs twice.
    case duplicateKey(String)
    /// Two tensors have the same name.
    case duplicateTensor(String)
    /// A metadata value has a type that does not exist.
    case unknownValueType(key: String, type: UInt32)
    /// A Boolean is neither 0 nor 1.
    case invalidTruth(key: String, value: UInt8)
    /// Lists are nested too deeply.
    case nestedTooDeeply(key: String)
    /// A metadata key is missing.
    case missingKey(String)
    /// A metadata value is not what it must be.
    case invalidValue(key: String, found: String, expected: String)
    /// A tensor has no or too many dimensions.
    case wrongRank(tensor: String, count: UInt32)
    /// A tensor's shape is impossible; row length first, as in the file.
    case invalidShape(tensor: String, shape: [UInt64], expected: String)
    /// A tensor has an element type that is not supported.
    case unsupportedType(tensor: String, type: String)
    /// A tensor is not aligned.
    case misaligned(tensor: String, offset: UInt64, alignment: Int)
    /// A tensor extends beyond the end of the file.
    case outOfRange(tensor: String, offset: UInt64, needed: Int, dataBytes: Int)
    /// Two tensors use the same bytes.
    case overlap(tensor: String, offset: Int, previousEnd: Int)
    /// There is no tensor of this name.
    case noSuchTensor(String)
    /// A model feature that is not supported.
    case unsupported(String)
  }
}

extension GGUFError: CustomStringConvertible {
  /// What is wrong, where, what was expected, and what to change.
  public var description: String { "\(path): \(reason)".printable }
}

extension GGUFError.Reason: CustomStringConvertible {
  /// The broken rule in one sentence.
  public var description: String {
    switch self {
    case .notGGUF:
      "the file does not begin with 'GGUF'; it is not a GGUF file or is damaged; download it again"
    case .bigEndian:
      "the file is big-endian; convert it to little-endian with gguf_convert_endian.py of llama.cpp"
    case .unsupportedVersion(let version):
      "the file has version \(version) of the format; versions 2 and 3 are read"
    case .truncated(let what, let offset):
      "the file ends inside \(what) at byte \(offset); it was cut short; download it again"
    case .tooMany(let what, let count, let limit):
      "the file claims \(count) \(what), but there can be at most \(limit); its header is broken"
    case .invalidText(let what):
      "\(what) is not UTF-8 text; the file is broken"
    case .duplicateKey(let key):
      "the key '\(key)' occurs twice in the metadata"
    case .duplicateTensor(let name):
      "two tensors have the name '\(name)'"
    case .unknownValueType(let key, let type):
      "the value of '\(key)' has the unknown type \(type); types are 0 to 12"
    case .invalidTruth(let key, let value):
      "the Boolean '\(key)' is \(value); it must be 0 or 1"
    case .nestedTooDeeply(let key):
      "the value of '\(key)' has lists nested more than \(GGUFCursor.deepest) levels deep"
    case .missingKey(let key):
      "the metadata lacks the key '\(key)', which this model needs"
    case .invalidValue(let key, let found, let expected):
      "'\(key)' is \(found); it must be \(expected)"
    case .wrongRank(let tensor, let count):
      "tensor '\(tensor)' has \(count) dimensions; it must have 1 to \(GGUFHeader.largestRank)"
    case .invalidShape(let tensor, let shape, let expected):
      "tensor '\(tensor)' has the shape \(shape), rows first; \(expected)"
    case .unsupportedType(let tensor, let type):
      "tensor '\(tensor)' has the type \(type); supported types are \(Self.types); make a file with those, for example with llama-quantize"
    case .misaligned(let tensor, let offset, let alignment):
      "tensor '\(tensor)' begins at byte \(offset) of the data, which is not a multiple of \(alignment)"
    case .outOfRange(let tensor, let offset, let needed, let dataBytes):
      "tensor '\(tensor)' needs \(needed) bytes from byte \(offset) on, outside the \(dataBytes) bytes of data; the file was cut short or its header is wrong"
    case .overlap(let tensor, let offset, let previousEnd):
      "tensor '\(tensor)' begins at byte \(offset) of the data, inside another tensor that ends at \(previousEnd)"
    case .noSuchTensor(let name):
      "there is no tensor '\(name)'"
    case .unsupported(let what):
      "\(what) is not supported; choose a file without it"
    }
  }

  private static var types: String {
    GGUFTensorType.allCases.map(\.description).joined(separator: ", ")
  }
}
