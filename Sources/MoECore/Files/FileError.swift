public import SystemPackage

/// Why a file or folder could not be read or written.
public enum FileError: Error, Hashable {
  /// Nothing exists at the path.
  case notFound(FilePath)
  /// A folder stands where a file was expected.
  case isDirectory(FilePath)
  /// Something that is neither file nor folder, for example a pipe or a device.
  case notRegular(FilePath)
  /// A file stands where a folder was expected, or the folder already holds something.
  case notAnEmptyDirectory(FilePath)
  /// This user may not read or write there.
  case permissionDenied(FilePath)
  /// The disk or the quota is full.
  case noSpace(FilePath)
  /// Any other refusal of the operating system; `code` is its error number.
  case system(operation: String, path: FilePath, code: CInt)

  /// Sorts an operating-system error into the cases above.
  package init(operation: String, path: FilePath, code: CInt) {
    switch Errno(rawValue: code) {
    case .noSuchFileOrDirectory, .notDirectory: self = .notFound(path)
    case .isDirectory: self = .isDirectory(path)
    case .permissionDenied, .notPermitted, .readOnlyFileSystem: self = .permissionDenied(path)
    case .noSpace: self = .noSpace(path)
    case .directoryNotEmpty, .fileExists: self = .notAnEmptyDirectory(path)
    default:
      self =
        Self.quotaCodes.contains(code)
        ? .noSpace(path) : .system(operation: operation, path: path, code: code)
    }
  }

  private static let quotaCodes: Set<CInt> = [Errno.diskQuotaExceeded.rawValue]
}

extension FileError: CustomStringConvertible {
  /// What, where, and what to change.
  public var description: String {
    switch self {
    case .notFound(let path):
      "\(path) does not exist; check the path"
    case .isDirectory(let path):
      "\(path) is a folder, but a file is needed; name a file inside it"
    case .notRegular(let path):
      "\(path) is not a regular file, so it cannot be mapped; copy its contents into a file first"
    case .notAnEmptyDirectory(let path):
      "\(path) already exists; choose a new name, or remove it first"
    case .permissionDenied(let path):
      "\(path) cannot be accessed by this user; change its permissions or choose another place"
    case .noSpace(let path):
      "no space is left for \(path); free some, or choose another disk"
    case .system(let operation, let path, let code):
      "\(path): \(operation) failed: \(Errno(rawValue: code))"
    }
  }
}
