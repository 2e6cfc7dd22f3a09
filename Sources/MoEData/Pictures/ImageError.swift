import MoECore
public import SystemPackage

/// Why an image or a set of images cannot be used.
public enum ImageError: Error, Hashable {
  /// The file is neither PNG nor JPEG.
  case unknownFormat(FilePath)
  /// The file cannot be decoded.
  case unreadable(FilePath, problem: String)
  /// The image is too large.
  case tooLarge(FilePath, width: Int, height: Int)
  /// A binary file of many images violates its format.
  case invalidFile(FilePath, problem: String)
  /// A folder lacks required contents.
  case invalidFolder(FilePath, problem: String)
  /// Images and labels do not match.
  case labels(FilePath, problem: String)
  /// Folders are named after classes that a model, or other images, do not have.
  case otherClasses(FilePath, found: [String], known: [String])
  /// The images of a set differ in size.
  case mixedSizes(FilePath, found: String, expected: String)
  /// A set has both greyscale and colour images.
  case mixedChannels(FilePath, found: Int, expected: Int)
}

extension ImageError: CustomStringConvertible {
  /// What is wrong, where, and what to change.
  public var description: String {
    switch self {
    case .unknownFormat(let path):
      "\(path) is neither a PNG nor a JPEG file; convert it, or remove it"
    case .unreadable(let path, let problem):
      "\(path) cannot be decoded: \(problem); replace it, or remove it"
    case .tooLarge(let path, let width, let height):
      "\(path) is \(width)×\(height) pixels; at most \(ImageFile.largestSide) per side can be read"
    case .invalidFile(let path, let problem):
      "\(path): \(problem)"
    case .invalidFolder(let path, let problem):
      "\(path): \(problem)"
    case .labels(let path, let problem):
      "\(path): \(problem)"
    case .otherClasses(let path, let found, let known):
      "\(path) has the classes \(Self.list(found)); known are \(Self.list(known)); rename its folders, or remove the others"
    case .mixedSizes(let path, let found, let expected):
      "\(path) is \(found), the images before it are \(expected); set data.size to scale all to one size"
    case .mixedChannels(let path, let found, let expected):
      "\(path) has \(found) \(found == 1 ? "channel" : "channels"), the images before it have \(expected); set data.channels to 1 or 3 to convert all to greyscale or colour"
    }
  }

  /// The first names of a list, for error messages.
  private static func list(_ names: [String]) -> String {
    names.prefix(20).joined(separator: ", ").printable + (names.count > 20 ? ", …" : "")
  }
}
