/// A small file that belongs to a model.
public struct ModelFile: Hashable, Sendable {
  /// Its name in the folder.
  public var name: String
  /// Its contents.
  public var bytes: [UInt8]

  /// Creates a file.
  public init(_ name: String, _ bytes: [UInt8]) { (self.name, self.bytes) = (name, bytes) }
}
