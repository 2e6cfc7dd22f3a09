public import MoETokenizers
import Foundation
import MoECore
import MoEModels
public import MoETensor
public import SystemPackage

/// The tokens of a text in a memory-mapped file: opening it is free, windows are read when they are
/// used.
///
/// A safetensors file with `tokens` (u16 for vocabularies of up to 65,536 tokens, else i32; u32 is read, too),
/// `document_starts` (i64, indices in `tokens`), and the metadata entry `switchyard`, a JSON
/// object.
public final class TokenFile: Sendable {
  /// The origin of the tokens.
  public struct Origin: Hashable, Codable, Sendable {
    /// Version of this format.
    public var version = 1
    /// Identity of the tokenizer, from `Tokenizer.identity(at:)`.
    public var tokenizer: String
    /// Tokens in the vocabulary.
    public var vocabulary: Int
    /// Names of the text files.
    public var sources: [String]
    /// Bytes of text.
    public var bytes: Int
  }

  /// Where the file is.
  public var path: FilePath { file.path }
  /// The origin of the tokens.
  public let origin: Origin
  /// Number of tokens.
  public let count: Int
  /// Element type of the tokens.
  private let dtype: DType
  private let file: SafetensorsFile
  private let range: Range<Int>

  /// Opens a token file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - tokenizer: Identity of the tokenizer that it must have been made with; `nil` for any.
  /// - Throws: ``DataError``, or an error if it is not a safetensors file.
  public init(_ path: FilePath, tokenizer: String? = nil) throws {
    file = try SafetensorsFile(path)
    guard let text = file.header.metadata["switchyard"],
      let origin = try? JSONDecoder().decode(Origin.self, from: Data(text.utf8)),
      file.contains("tokens")
    else {
      throw DataError.notTokens(path, problem: "it has no tensor 'tokens' with its origin")
    }
    let entry = try file.entry(named: "tokens")
    guard entry.shape.count == 1, [.u16, .u32, .i32].contains(entry.dtype) else {
      throw DataError.notTokens(
        path, problem: "its tokens are \(entry.dtype) \(entry.shape), not a row of u16, u32 or i32")
    }
    if let tokenizer, tokenizer != origin.tokenizer {
      throw DataError.otherTokenizer(path, found: origin.tokenizer, expected: tokenizer)
    }
    self.origin = origin
    (count, dtype, range) = (entry.count, entry.dtype, file.fileRange(of: entry))
  }

  /// Some of the tokens.
  ///
  /// - Precondition: The range is inside the file.
  /// - Throws: ``DataError/tokenOutsideVocabulary(_:token:vocabulary:)``.
  public func tokens(in places: Range<Int>) throws -> [Int] {
    let size = dtype.byteSize
    let part =
      range.lowerBound + places.lowerBound * size..<range.lowerBound + places.upperBound * size
    let tokens = file.file.withBytes(in: part) { bytes in
      (0..<places.count).map { place in
        switch dtype {
        case .u16: Int(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 2 * place, as: UInt16.self))
        case .u32: Int(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 4 * place, as: UInt32.self))
        default: Int(unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 4 * place, as: Int32.self))
        }
      }
    }
    if let token = tokens.first(where: { !(0..<origin.vocabulary ~= $0) }) {
      throw DataError.tokenOutsideVocabulary(path, token: token, vocabulary: origin.vocabulary)
    }
    return tokens
  }

  /// Indices of the tokens that begin documents, i64.
  ///
  /// - Throws: `SafetensorsError` when the file has none.
  public func documentStarts() throws -> Tensor { try file.tensor(named: "document_starts") }
}

extension Tokenizer {
  /// Identifies a tokenizer: a hash of the bytes of its `tokenizer.json`.
  ///
  /// - Throws: A `FileError` when it cannot be read.
  public static func identity(at path: FilePath) throws -> String {
    let file = try MappedFile(path)
    let bytes = file.copied()
    return SHA256.hexadecimal(of: bytes)
  }
}
