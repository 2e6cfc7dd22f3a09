public import MoETokenizers
import Foundation
public import MoECore
import MoEModels
public import SystemPackage

/// Converts text to a ``TokenFile``, part by part, so that memory does not grow with the text.
public struct TokenFileWriter {
  private let tokenizer: Tokenizer
  private let identity: String
  private let endToken: Int?

  /// Prepares to write tokens of a tokenizer.
  ///
  /// - Parameters:
  ///   - tokenizer: The tokenizer.
  ///   - identity: Its `Tokenizer.identity(at:)`.
  ///   - endToken: Appended to every document, if given.
  public init(_ tokenizer: Tokenizer, identity: String, endToken: Int?) {
    (self.tokenizer, self.identity, self.endToken) = (tokenizer, identity, endToken)
  }

  /// Writes the tokens of some files, one after another; the file appears complete or not at all.
  ///
  /// Plain text is encoded in parts of about a mebibyte, cut only where the tokenizer splits it
  /// anyway (`Tokenizer.cuts`). A text without such places is encoded as a whole.
  ///
  /// - Throws: ``DataError``, or a `FileError`, as for a full disk.
  public func write(
    _ sources: [TextSource], to path: FilePath, progress: ProgressHandler = { _ in }
  ) throws {
    for source in sources { try source.check() }
    try TemporaryPaths.withFile(beside: path) { raw in
      try write(sources, through: raw, to: path, progress)
    }
  }

  /// Collects the tokens in a raw file first, because the header needs their number.
  private func write(
    _ sources: [TextSource], through raw: FilePath, to path: FilePath, _ progress: ProgressHandler
  ) throws {
    let dtype: DType = tokenizer.vocabularyCount <= 1 << 16 ? .u16 : .i32
    let total = try sources.reduce(0) { try $0 + MappedFile($1.path).count }
    var run = Run(endToken: endToken, isNarrow: dtype == .u16)
    var done = 0
    try AtomicFile.write(to: raw) { file in
      for source in sources {
        var last = 0
        try source.forEachPart(cuts: tokenizer.cuts) { part, bytesDone in
          let ids = tokenizer.encode(bytes: part.bytes, addingSpecialTokens: false)
          let bytes = run.take(ids, beginsDocument: part.beginsDocument, count: part.bytes.count)
          unsafe try file.append(bytes.span.bytes)
          last = bytesDone
          progress(Progress("encoding text", completed: done + bytesDone, total: total))
        }
        done += last
        let bytes = run.endDocument()
        unsafe try file.append(bytes.span.bytes)
      }
    }
    let origin = TokenFile.Origin(
      tokenizer: identity, vocabulary: tokenizer.vocabularyCount,
      sources: sources.map { $0.path.lastComponent?.string ?? "" }, bytes: run.bytes)
    try assemble(MappedFile(raw), run, dtype, origin, path)
  }

  private func assemble(
    _ raw: MappedFile, _ run: Run, _ dtype: DType, _ origin: TokenFile.Origin, _ path: FilePath
  ) throws {
    let text = try JSONText.line(origin)
    let items = [
      SafetensorsItem(name: "tokens", dtype: dtype, shape: [run.count]),
      SafetensorsItem(name: "document_starts", dtype: .i64, shape: [run.starts.count]),
    ]
    try SafetensorsWriter.write(items, metadata: ["switchyard": text], to: path) { item in
      item.name == "tokens" ? MappedBytes(file: raw) : run.startBytes as any ByteSource
    }
  }

  /// What has been written so far.
  private struct Run {
    let endToken: Int?
    let isNarrow: Bool
    private(set) var count = 0
    private(set) var bytes = 0
    private(set) var starts: [Int] = []
    private var isOpen = false

    init(endToken: Int?, isNarrow: Bool) { (self.endToken, self.isNarrow) = (endToken, isNarrow) }

    /// The data to write for a part with these tokens.
    mutating func take(_ ids: [Int], beginsDocument: Bool, count bytes: Int) -> [UInt8] {
      let end = beginsDocument ? endDocument() : []
      if beginsDocument {
        starts.append(count)
        isOpen = true
      }
      self.bytes += bytes
      count += ids.count
      return end + encoded(ids)
    }

    /// The data to write after a document, if one is open.
    mutating func endDocument() -> [UInt8] {
      defer { isOpen = false }
      guard let endToken, isOpen else { return [] }
      count += 1
      return encoded([endToken])
    }

    private func encoded(_ ids: [Int]) -> [UInt8] {
      let size = isNarrow ? 2 : 4
      var result: [UInt8] = []
      result.reserveCapacity(ids.count * size)
      for id in ids {
        for byte in 0..<size { result.append(UInt8(truncatingIfNeeded: id >> (8 * byte))) }
      }
      return result
    }

    var startBytes: [UInt8] {
      starts.flatMap { start in (0..<8).map { UInt8(truncatingIfNeeded: start >> (8 * $0)) } }
    }
  }

  /// A mapped file's bytes.
  private struct MappedBytes: ByteSource {
    var file: MappedFile
    func withBytes(_ body: (RawSpan) throws -> Void) throws { try file.withBytes(body) }
  }
}
