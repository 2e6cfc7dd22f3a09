public import SystemPackage

/// A GGUF file, mapped into memory and fully checked when it is opened.
///
/// Opening reads the header only; a tensor's bytes, and the elements of metadata lists, are read
/// from disk when they are used.
public final class GGUFFile: Sendable {
  /// Version of the format: 2 or 3.
  public let version: Int
  /// The metadata by key.
  public let metadata: [String: GGUFValue]
  /// The tensors in the order of the file.
  public let tensors: [GGUFTensor]
  /// The mapped file.
  package let file: MappedFile
  private let placeByName: [String: Int]

  /// Opens the file at `path`.
  ///
  /// - Throws: ``FileError`` when the file cannot be read, ``GGUFError`` when it breaks a rule of
  ///   the format or contains a tensor of an unsupported type.
  public init(_ path: FilePath) throws {
    file = try MappedFile(path)
    do {
      let header = try GGUFHeader(file)
      (version, metadata, tensors) = (Int(header.version), header.metadata, header.tensors)
    } catch {
      throw GGUFError(path: path, reason: error)
    }
    placeByName = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  /// The file's path when it was opened.
  public var path: FilePath { file.path }

  /// Whether a path is a GGUF file, judged by its name or its first bytes.
  public static func isGGUF(_ path: FilePath) -> Bool {
    guard !path.isDirectory, let file = try? MappedFile(path) else { return false }
    if path.extension?.lowercased() == "gguf" { return true }
    return file.count >= 4
      && file.withBytes(in: 0..<4) { bytes in
        unsafe bytes.withUnsafeBytes { unsafe $0.elementsEqual("GGUF".utf8) }
      }
  }

  /// Whether there is a tensor of this name.
  public func contains(_ name: String) -> Bool { placeByName[name] != nil }

  /// The entry of a tensor.
  ///
  /// - Throws: ``GGUFError`` when there is no tensor of this name.
  public func tensor(named name: String) throws(GGUFError) -> GGUFTensor {
    guard let place = placeByName[name] else { throw error(.noSuchTensor(name)) }
    return tensors[place]
  }

  /// An error about this file.
  package func error(_ reason: GGUFError.Reason) -> GGUFError {
    GGUFError(path: path, reason: reason)
  }
}

// MARK: Metadata

extension GGUFFile {
  /// An integer in a range, or `nil` when the key is absent.
  ///
  /// - Throws: ``GGUFError`` that names the key.
  public func optionalInteger(
    _ key: String, in range: ClosedRange<Int>
  ) throws(GGUFError) -> Int? {
    guard let value = metadata[key] else { return nil }
    let number: Int? =
      switch value {
      case .unsigned(let number): Int(exactly: number)
      case .signed(let number): Int(number)
      default: nil
      }
    guard let number, range.contains(number) else {
      throw invalid(key, "an integer in \(range.lowerBound)…\(range.upperBound)")
    }
    return number
  }

  /// An integer in a range.
  ///
  /// - Throws: ``GGUFError`` that names the key.
  public func integer(_ key: String, in range: ClosedRange<Int>) throws(GGUFError) -> Int {
    guard let number = try optionalInteger(key, in: range) else { throw error(.missingKey(key)) }
    return number
  }

  /// A finite number above 0, or `nil` when the key is absent; a binary32 is read as the shortest
  /// decimal number that rounds to it, because it was made from that number.
  ///
  /// - Throws: ``GGUFError`` that names the key.
  public func optionalPositive(_ key: String) throws(GGUFError) -> Double? {
    guard let value = metadata[key] else { return nil }
    let number: Double? =
      switch value {
      case .float(let number): Double("\(number)")
      case .double(let number): number
      default: nil
      }
    guard let number, number.isFinite, number > 0 else { throw invalid(key, "a number above 0") }
    return number
  }

  /// A text, or `nil` when the key is absent.
  ///
  /// - Throws: ``GGUFError`` that names the key.
  public func optionalText(_ key: String) throws(GGUFError) -> String? {
    guard let value = metadata[key] else { return nil }
    guard case .text(let text) = value else { throw invalid(key, "a text") }
    return text
  }

  /// True or false, or `nil` when the key is absent.
  ///
  /// - Throws: ``GGUFError`` that names the key.
  public func optionalTruth(_ key: String) throws(GGUFError) -> Bool? {
    guard let value = metadata[key] else { return nil }
    guard case .truth(let truth) = value else { throw invalid(key, "true or false") }
    return truth
  }

  /// A list, or `nil` when the key is absent.
  ///
  /// - Throws: ``GGUFError`` that names the key.
  public func optionalList(_ key: String) throws(GGUFError) -> GGUFList? {
    guard let value = metadata[key] else { return nil }
    guard case .list(let list) = value else { throw invalid(key, "a list") }
    return list
  }

  /// A required list.
  ///
  /// - Throws: ``GGUFError`` that names the key.
  public func list(_ key: String) throws(GGUFError) -> GGUFList {
    guard let list = try optionalList(key) else { throw error(.missingKey(key)) }
    return list
  }

  /// An error about a metadata value.
  package func invalid(_ key: String, _ expected: String) -> GGUFError {
    error(
      .invalidValue(
        key: key, found: metadata[key]?.summary ?? "absent", expected: expected))
  }
}
