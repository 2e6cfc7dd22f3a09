import MoECore
package import MoETokenizers
package import SystemPackage

/// The tokens of a text file, which is read and encoded only as far as they are needed.
///
/// They are those of `Tokenizer.encode(_:)` for the whole text, with the special tokens around it. Memory holds one
/// part of about a mebibyte, or the whole text if the tokenizer allows no parts.
package struct TextTokens {
  private let file: MappedFile
  private let tokenizer: Tokenizer
  private var position = 0
  private var taken = 0
  private var pending: ArraySlice<Int>
  private var isComplete = false

  private static let partSize = 1 << 20

  /// Opens a text.
  ///
  /// - Parameters:
  ///   - path: The file, UTF-8; a byte-order mark is skipped.
  ///   - tokenizer: The tokenizer.
  /// - Throws: ``DataError`` for an empty file, or a `FileError`.
  package init(_ path: FilePath, _ tokenizer: Tokenizer) throws {
    file = try MappedFile(path)
    guard file.count > 0 else { throw DataError.empty(path) }
    self.tokenizer = tokenizer
    pending = tokenizer.surroundings.prefix[...]
    let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
    if file.count >= mark.count, file.copied(0..<mark.count) == mark { position = mark.count }
  }

  /// The share of the text whose tokens have been taken, 0 to 1, as if all tokens of a part were equally long.
  package var fractionTaken: Double {
    let read = Double(position) / Double(file.count)
    return read * Double(taken) / Double(max(1, taken + pending.count))
  }

  /// The next tokens; fewer than asked for at the end of the text, and then none.
  ///
  /// - Throws: ``DataError`` that names the line of what is not UTF-8, or for a text that is too long where it cannot
  ///   be cut.
  package mutating func next(_ count: Int) throws -> [Int] {
    while pending.count < count, !isComplete { try readPart() }
    let result = Array(pending.prefix(count))
    pending = pending.dropFirst(count)
    taken += result.count
    return result
  }

  private mutating func readPart() throws {
    guard position < file.count else {
      pending += tokenizer.surroundings.suffix
      isComplete = true
      return
    }
    let cutter = TextCutter(cuts: tokenizer.cuts)
    let end = file.withBytes {
      cutter.end(ofPartFrom: position, in: $0, limit: Self.partSize)
    }
    guard end - position <= FileLimit.undividedText else {
      throw DataError.uncut(
        file.path, bytes: end - position, limit: FileLimit.undividedText)
    }
    let bytes = file.copied(position..<end)
    if let invalid = unsafe UTF8Text.firstInvalidByte(in: bytes.span.bytes) {
      throw DataError.notUTF8(file, at: position + invalid)
    }
    pending += tokenizer.encode(bytes: bytes, addingSpecialTokens: false)
    position = end
  }
}
