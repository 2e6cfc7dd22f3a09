public import SystemPackage

/// A safetensors file, mapped into memory and fully checked when it is opened.
///
/// Opening reads the header only; a tensor's bytes are read from disk when they are used.
public final class SafetensorsFile: Sendable {
  /// Tensors and metadata.
  public let header: SafetensorsHeader
  /// The mapped file.
  package let file: MappedFile
  /// Offset of the data in the file.
  private let dataStart: Int
  private let entryByName: [String: Int]

  /// Opens the file at `path`.
  ///
  /// - Throws: ``FileError`` when the file cannot be read, ``SafetensorsError`` when it breaks a
  ///   rule of the format.
  public init(_ path: FilePath) throws {
    file = try MappedFile(path)
    do {
      let json = try Self.headerBytes(of: file)
      dataStart = 8 + json.count
      header = try SafetensorsHeader(json: json, dataBytes: file.count - dataStart)
    } catch let reason as SafetensorsError.Reason {
      throw SafetensorsError(path: path, reason: reason)
    }
    entryByName = Dictionary(
      uniqueKeysWithValues: header.entries.enumerated().map { ($1.name, $0) })
  }

  /// The file's path when it was opened.
  public var path: FilePath { file.path }

  /// The entry of a tensor.
  ///
  /// - Throws: ``SafetensorsError`` when there is no tensor of this name.
  public func entry(named name: String) throws(SafetensorsError) -> SafetensorsEntry {
    guard let index = entryByName[name] else {
      throw SafetensorsError(path: path, reason: .noSuchTensor(name))
    }
    return header.entries[index]
  }

  /// Whether there is a tensor of this name.
  public func contains(_ name: String) -> Bool { entryByName[name] != nil }

  /// Reads a tensor's bytes, row-major and little-endian, without copying them.
  ///
  /// - Throws: ``SafetensorsError`` when there is no tensor of this name, or what `body` throws.
  public func withBytes<Result>(
    of name: String, _ body: (RawSpan) throws -> Result
  ) throws -> Result {
    try file.withBytes(in: fileRange(of: try entry(named: name)), body)
  }

  /// The range of a tensor's bytes in the file.
  package func fileRange(of entry: SafetensorsEntry) -> Range<Int> {
    dataStart + entry.range.lowerBound..<dataStart + entry.range.upperBound
  }

  /// The offset of a tensor's bytes in the file.
  package func start(of entry: SafetensorsEntry) -> Int { fileRange(of: entry).lowerBound }

  /// Releases the memory of pages that were read; they are read again when needed.
  package func discardPages() { file.discardPages() }

  private static func headerBytes(of file: MappedFile) throws(SafetensorsError.Reason) -> [UInt8] {
    guard file.count >= 8 else { throw .truncated(bytes: file.count, needed: 8) }
    let length = file.withBytes(in: 0..<8) { bytes in
      (0..<8).reduce(UInt64(0)) {
        $0 | UInt64(unsafe bytes.unsafeLoad(fromByteOffset: $1, as: UInt8.self)) << (8 * $1)
      }
    }
    guard length <= SafetensorsHeader.maximumLength else { throw .headerTooLong(bytes: length) }
    let end = 8 + Int(length)
    guard end <= file.count else { throw .truncated(bytes: file.count, needed: end) }
    return file.copied(8..<end)
  }
}
