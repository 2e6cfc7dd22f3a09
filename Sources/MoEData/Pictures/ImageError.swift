import MoECore
public import SystemPackage

/// Why an image or a set of images cannot be used.
public enum ImageError: Error, Hashable {
  /// The file is neither PNG nor JPEG.
  case unknownFormat(FilePath)
  /// The decoder gave up.
  case unreadable(FilePath, problem: String)
  /// The image has more pixels than any use here needs.
  case tooLarge(FilePath, width: Int, height: Int)
  /// A binary file of many images is not what its format asks for.
  case invalidFile(FilePath, problem: String)
  /// A folder lacks what it should hold.
  case invalidFolder(FilePath, problem: String)
  /// Images and labels do not fit.
  case labels(FilePath, problem: String)
  /// Folders are named after classes that a model, or other images, do not know.
  case otherClasses(FilePath, found: [String], known: [String])
  /// Images of one set differ in size.
  case mixedSizes(FilePath, found: String, expected: String)
  /// Some images of a set are grey and some coloured.
  case mixedChannels(FilePath, found: Int, expected: Int)
}

extension ImageError: CustomStringConvertible {
  /// What is wrong, where, and what to change.
  public var description: String {
    switch self {
    case .unknownFormat(let path):
      "\(path) is neither a PNG nor a JPEG file; convert it, or take it away"
    case .unreadable(let path, let problem):
      "\(path) cannot be decoded: \(problem); replace it, or take it away"
    case .tooLarge(let path, let width, let height):
      "\(path) is \(width)×\(height) pixels; at most \(ImageFile.largestSide) per side can be read"
    case .invalidFile(let path, let problem):
      "\(path): \(problem)"
    case .invalidFolder(let path, let problem):
      "\(path): \(problem)"
    case .labels(let path, let problem):
      "\(path): \(problem)"
    case .otherClasses(let path, let found, let known):
      "\(path) has the classes \(Self.list(found)); known are \(Self.list(known)); rename its folders, or take the others away"
    case .mixedSizes(let path, let found, let expected):
      "\(path) is \(found), the images before it are \(expected); set data.size to scale all to one size"
    case .mixedChannels(let path, let found, let expected):
      "\(path) has \(found) \(found == 1 ? "channel" : "channels"), the images before it have \(expected); set data.channels to 1 or 3 to make all grey or all coloured"
    }
  }

  /// The first names of a list, as a message shows them.
  private static func list(_ names: [String]) -> String {
    names.prefix(20).joined(separator: ", ").printable + (names.count > 20 ? ", …" : "")
  }
}
