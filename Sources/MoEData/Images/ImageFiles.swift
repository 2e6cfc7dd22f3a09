public import MoECore
public import SystemPackage

/// Files with labelled images, in one of the formats that can be read.
public struct ImageFiles: Hashable, Sendable {
  /// How images are stored on disk.
  public enum Format: String, Hashable, Sendable, CaseIterable {
    /// Folders named after classes, with PNG and JPEG files.
    case folders
    /// MNIST's files; a second file holds the labels.
    case idx
    /// CIFAR-10's binary files.
    case cifar
    /// A file of latents, see ``LatentImages``.
    case latents

    /// The format that a path's name indicates.
    public init(of path: FilePath, hasLabels: Bool) {
      self =
        if hasLabels { .idx } else {
          switch path.extension {
          case "bin": .cifar
          case "safetensors": .latents
          default: .folders
          }
        }
    }
  }

  /// The folder or file, or several CIFAR files.
  public let paths: [FilePath]
  /// The labels of IDX files.
  public let labels: FilePath?
  /// How they are stored.
  public let format: Format

  /// Creates a description of files.
  ///
  /// - Parameters:
  ///   - paths: At least one.
  ///   - labels: The labels of IDX files.
  ///   - format: How images are stored; `nil` for the format indicated by the first name.
  public init(_ paths: [FilePath], labels: FilePath? = nil, format: Format? = nil) {
    precondition(!paths.isEmpty, "files without a path")
    (self.paths, self.labels) = (paths, labels)
    self.format = format ?? Format(of: paths[0], hasLabels: labels != nil)
  }

  /// Reads the images as squares.
  ///
  /// - Parameters:
  ///   - side: The size in pixels to which the central square of each image is scaled; `nil` if
  ///     they are squares of one size.
  ///   - channels: 1 or 3; `nil` to keep the number of channels.
  ///   - limit: Maximum number of images per class; `nil` for all.
  ///   - progress: Called with the number of images read.
  /// - Returns: The images.
  /// - Throws: ``ImageError`` that names the file, or a `FileError`.
  public func read(
    side: Int? = nil, channels: Int? = nil, limit: Int? = nil,
    progress: ProgressHandler = { _ in }
  ) throws -> LabelledImages {
    var images: LabelledImages
    switch format {
    case .idx:
      guard let labels else {
        throw ImageError.labels(paths[0], problem: "a second file must hold the labels")
      }
      images = try IDXFile.read(images: paths[0], labels: labels)
    case .cifar: images = try CIFARFile.read(paths)
    case .latents:
      throw ImageError.invalidFile(
        paths[0], problem: "it contains latents, but pictures are needed")
    case .folders:
      images = try ImageFolder.read(
        paths[0], side: side, channels: channels, limit: limit, progress: progress)
    }
    if let limit {
      images = images.selecting(images.placesByClass.flatMap { $0.prefix(limit) }.sorted())
    }
    let square = side ?? (images.width == images.height ? images.width : nil)
    guard let square else {
      throw ImageError.mixedSizes(
        paths[0], found: "\(images.width)×\(images.height)", expected: "square")
    }
    return images.scaled(side: square, channels: channels ?? images.channels)
  }
}
