public import SystemPackage

/// Why a safetensors file was refused.
public struct SafetensorsError: Error, Hashable {
  /// The file.
  public var path: FilePath
  /// The rule that it breaks.
  public var reason: Reason

  /// States that the file at `path` breaks a rule.
  public init(path: FilePath, reason: Reason) {
    self.path = path
    self.reason = reason
  }

  /// The rules of the format, one case each.
  public enum Reason: Error, Hashable {
    /// Fewer bytes than the smallest possible file, or than the header announces.
    case truncated(bytes: Int, needed: Int)
    /// A header longer than the format's limit of 100 MB.
    case headerTooLong(bytes: UInt64)
    /// The header is not the JSON that the format asks for; `offset` counts from the header's
    /// start.
    case invalidHeader(offset: Int, expected: String)
    /// A name occurs twice.
    case duplicateName(String)
    /// An unknown element type.
    case unknownDType(tensor: String, dtype: String)
    /// More dimensions than a tensor can have.
    case tooManyDimensions(tensor: String, count: Int)
    /// The number of elements or bytes does not fit into 64 bits.
    case shapeOverflow(tensor: String, shape: [Int])
    /// The offsets run backwards or beyond the data.
    case offsetsOutOfRange(tensor: String, begin: Int, end: Int, dataBytes: Int)
    /// Shape and element type need a different number of bytes than the offsets span.
    case sizeMismatch(tensor: String, needed: Int, spanned: Int)
    /// Two tensors use the same bytes.
    case overlap(tensor: String, begin: Int, previousEnd: Int)
    /// Bytes between tensors, or after the last one, that belong to none.
    case unusedBytes(begin: Int, end: Int)
    /// A folder without a checkpoint.
    case noCheckpoint
    /// There is no tensor of this name.
    case noSuchTensor(String)
    /// The index of a sharded checkpoint is not what the format asks for.
    case invalidIndex(String)
    /// The index of a sharded checkpoint places a tensor in a file that does not contain it.
    case missingFromShard(tensor: String, shard: String)
  }
}

extension SafetensorsError: CustomStringConvertible {
  /// What is wrong, where, what was expected, and what to change.
  public var description: String { "\(path): \(reason)".printable }
}

extension SafetensorsError.Reason: CustomStringConvertible {
  /// The broken rule in one sentence.
  public var description: String {
    switch self {
    case .truncated(let bytes, let needed):
      "the file has \(NumberText.counted(bytes, "byte")), but needs at least \(needed); it was cut short or is not a safetensors file; download it again"
    case .headerTooLong(let bytes):
      "the header claims \(bytes) bytes, more than the 100 MB that the format allows; this is not a safetensors file"
    case .invalidHeader(let offset, let expected):
      "the header is broken at byte \(offset): expected \(expected)"
    case .duplicateName(let name):
      "the name '\(name)' occurs twice in the header"
    case .unknownDType(let tensor, let dtype):
      "tensor '\(tensor)' has the unknown element type '\(dtype)'; known are \(DType.safetensorsNames)"
    case .tooManyDimensions(let tensor, let count):
      "tensor '\(tensor)' has \(count) dimensions; at most \(SafetensorsHeader.maximumRank) are possible"
    case .shapeOverflow(let tensor, let shape):
      "tensor '\(tensor)' of shape \(shape) is too large for any machine"
    case .offsetsOutOfRange(let tensor, let begin, let end, let dataBytes):
      "tensor '\(tensor)' lies at bytes \(begin) to \(end), outside the \(dataBytes) bytes of data; the file was cut short or its header is wrong"
    case .sizeMismatch(let tensor, let needed, let spanned):
      "tensor '\(tensor)' needs \(needed) bytes for its shape and type, but its offsets span \(spanned)"
    case .overlap(let tensor, let begin, let previousEnd):
      "tensor '\(tensor)' begins at byte \(begin), inside another tensor that ends at \(previousEnd)"
    case .unusedBytes(let begin, let end):
      "bytes \(begin) to \(end) of the data belong to no tensor; the format allows no holes and nothing after the last tensor"
    case .noCheckpoint:
      "the folder holds neither model.safetensors.index.json nor model.safetensors; name the folder of a model, or a file"
    case .noSuchTensor(let name):
      "there is no tensor '\(name)'"
    case .invalidIndex(let problem):
      "the index is broken: \(problem)"
    case .missingFromShard(let tensor, let shard):
      "the index places tensor '\(tensor)' in \(shard), which does not hold it"
    }
  }
}
