public import SystemPackage

/// Why a file or folder could not be read or written.
public enum FileError: Error, Hashable {
  /// Nothing exists at the path.
  case notFound(FilePath)
  /// The path is a folder, but a file was expected.
  case isDirectory(FilePath)
  /// The path is neither a file nor a folder, for example a pipe or a device.
  case notRegular(FilePath)
  /// A device, a pipe, a socket or a link to nothing is where a file was to be written.
  case notReplaceable(FilePath)
  /// The file to write is one of those that are read.
  case isInput(FilePath)
  /// Something already exists where a new file or folder was to be created.
  case alreadyExists(FilePath)
  /// Another file system is mounted on the folder, so it cannot be replaced.
  case mountPoint(FilePath)
  /// This user lacks permission to read or write there.
  case permissionDenied(FilePath)
  /// Another process uses the folder; `process` is its ID, if known.
  case inUse(FilePath, process: Int?)
  /// The file is larger than one that is read into memory as a whole may be; both numbers count bytes.
  case tooLarge(FilePath, bytes: Int, limit: Int)
  /// The disk or the quota is full.
  case noSpace(FilePath)
  /// Any other error of the operating system; `code` is its `errno`.
  case system(operation: String, path: FilePath, code: CInt)

  /// Maps an operating-system error to the cases above.
  package init(operation: String, path: FilePath, code: CInt) {
    switch Errno(rawValue: code) {
    case .noSuchFileOrDirectory, .notDirectory: self = .notFound(path)
    case .isDirectory: self = .isDirectory(path)
    case .permissionDenied, .notPermitted, .readOnlyFileSystem: self = .permissionDenied(path)
    case .noSpace, .fileTooLarge: self = .noSpace(path)
    case .directoryNotEmpty, .fileExists: self = .alreadyExists(path)
    default:
      self =
        Self.quotaCodes.contains(code)
        ? .noSpace(path) : .system(operation: operation, path: path, code: code)
    }
  }

  /// The reason why nothing can be created in a folder.
  init(creatingIn folder: FilePath, for path: FilePath, code: CInt) {
    guard Errno(rawValue: code) == .noSuchFileOrDirectory || Errno(rawValue: code) == .notDirectory
    else {
      self.init(operation: "creation", path: path, code: code)
      return
    }
    // Some kernel file systems report "not found" when creating files is not permitted at all.
    self = folder.isDirectory ? .permissionDenied(path) : .notFound(folder)
  }

  private static let quotaCodes: Set<CInt> = [Errno.diskQuotaExceeded.rawValue]
}

extension FileError {
  /// The same failure at another path.
  func at(_ path: FilePath) -> FileError {
    switch self {
    case .notFound: .notFound(path)
    case .isDirectory: .isDirectory(path)
    case .notRegular: .notRegular(path)
    case .notReplaceable: .notReplaceable(path)
    case .isInput: .isInput(path)
    case .alreadyExists: .alreadyExists(path)
    case .mountPoint: .mountPoint(path)
    case .permissionDenied: .permissionDenied(path)
    case .noSpace: .noSpace(path)
    case .tooLarge(_, let bytes, let limit): .tooLarge(path, bytes: bytes, limit: limit)
    case .inUse(_, let process): .inUse(path, process: process)
    case .system(let operation, _, let code): .system(operation: operation, path: path, code: code)
    }
  }
}

extension FileError: CustomStringConvertible {
  /// What went wrong, where, and what to change.
  public var description: String { text.printable }

  private var text: String {
    switch self {
    case .notFound(let path):
      "\(path) does not exist; check the path"
    case .isDirectory(let path):
      "\(path) is a folder, but a file is needed; name a file inside it"
    case .notRegular(let path):
      "\(path) is not a regular file, so it cannot be mapped; copy its contents into a file first"
    case .notReplaceable(let path):
      "\(path) is a device, a pipe, a socket or a link to nothing, which a file must not replace; choose a new name"
    case .isInput(let path):
      "\(path) is read by this command, or lies in a folder that is, and would be lost; choose another place"
    case .alreadyExists(let path):
      "\(path) already exists and would be lost; choose a new name"
    case .mountPoint(let path):
      "\(path) is the root of a file system and cannot be replaced; name a new folder inside it"
    case .permissionDenied(let path):
      "\(path) cannot be accessed by this user; change its permissions or choose another place"
    case .inUse(let path, let process):
      "\(path) is in use by another run\(process.map { " (process \($0))" } ?? ""); wait until it ends, or choose another folder"
    case .tooLarge(let path, let bytes, let limit):
      "\(path) has \(ByteCount(bytes)), but at most \(ByteCount(limit)) of such a file are read; check that it is the right one, or split it"
    case .noSpace(let path):
      "no space is left for \(path); free some, or choose another disk"
    case .system(let operation, let path, let code):
      "\(path): \(operation) failed: \(Errno(rawValue: code))"
    }
  }
}
