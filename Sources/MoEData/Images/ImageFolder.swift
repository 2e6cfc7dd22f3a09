import Foundation
public import MoECore
public import SystemPackage

/// Images in folders named after their classes: `FOLDER/cat/0001.png`.
public enum ImageFolder {
  /// An image on disk and its class.
  private struct Entry {
    var path: FilePath
    var label: Int
  }

  /// Reads all PNG and JPEG files.
  ///
  /// - Parameters:
  ///   - folder: Contains a folder per class; classes are numbered in the order of their names.
  ///   - side: The size in pixels to which the central square of each image is scaled; `nil` if all
  ///     have the same size.
  ///   - channels: 1 or 3; `nil` if all have the same.
  ///   - limit: The most images per class, the first by name; `nil` for all.
  ///   - progress: Receives the number of images read.
  /// - Returns: The images, ordered by class and name.
  /// - Throws: ``ImageError`` that names the file or the folder.
  public static func read(
    _ folder: FilePath, side: Int? = nil, channels: Int? = nil, limit: Int? = nil,
    progress: ProgressHandler = { _ in }
  ) throws -> LabelledImages {
    let (entries, classes) = try list(folder, limit: limit)
    var bytes: [UInt8] = []
    var first: Pixels?
    for (place, entry) in entries.enumerated() {
      var image = try ImageFile.read(entry.path, channels: channels)
      if let side { image = image.centreSquare(side: side) }
      let expected = first ?? image
      guard image.channels == expected.channels else {
        throw ImageError.mixedChannels(
          entry.path, found: image.channels, expected: expected.channels)
      }
      guard image.width == expected.width, image.height == expected.height else {
        throw ImageError.mixedSizes(
          entry.path, found: "\(image.width)×\(image.height)",
          expected: "\(expected.width)×\(expected.height)")
      }
      if first == nil {
        first = image
        bytes.reserveCapacity(entries.count * image.bytes.count)
      }
      bytes += image.planes
      progress(Progress("reading images", completed: place + 1, total: entries.count))
    }
    guard let first else {
      throw ImageError.invalidFolder(
        folder, problem: "there are no PNG or JPEG files in its class folders")
    }
    return LabelledImages(
      width: first.width, height: first.height, channels: first.channels, bytes: bytes,
      labels: entries.map(\.label), classes: classes)
  }

  private static func list(
    _ folder: FilePath, limit: Int?
  ) throws -> (entries: [Entry], classes: [String]) {
    let classes = try names(in: folder).filter { folder.appending($0).isDirectory }
    guard !classes.isEmpty else {
      throw ImageError.invalidFolder(
        folder, problem: "it must hold a folder of images for every class, such as cat/ and dog/")
    }
    var entries: [Entry] = []
    for (label, name) in classes.enumerated() {
      let inner = folder.appending(name)
      let files = try names(in: inner).filter {
        ["png", "jpg", "jpeg"].contains((FilePath($0).extension ?? "").lowercased())
      }
      guard !files.isEmpty else {
        throw ImageError.invalidFolder(
          inner, problem: "this class has no PNG or JPEG files; add some, or remove the folder")
      }
      entries += files.prefix(limit ?? files.count).map {
        Entry(path: inner.appending($0), label: label)
      }
    }
    return (entries, classes)
  }

  private static func names(in folder: FilePath) throws -> [String] {
    guard folder.isDirectory else {
      throw ImageError.invalidFolder(folder, problem: "there is no such folder")
    }
    return try FileManager.default.contentsOfDirectory(atPath: folder.string)
      .filter { !$0.hasPrefix(".") }.sorted()
  }
}
