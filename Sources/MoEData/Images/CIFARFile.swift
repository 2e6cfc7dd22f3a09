import MoECore
public import SystemPackage

/// CIFAR-10's binary format: per image a label byte, then 32×32 red, green and blue bytes.
///
/// - SeeAlso: Krizhevsky 2009, *Learning Multiple Layers of Features from Tiny Images*.
public enum CIFARFile {
  /// Names of the ten classes.
  public static let classes = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]
  private static let imageSize = 3 * 32 * 32

  /// Reads files.
  ///
  /// - Returns: The images of all files, in order.
  /// - Throws: ``ImageError`` that names the file, or a `FileError`.
  public static func read(_ paths: [FilePath]) throws -> LabelledImages {
    var bytes: [UInt8] = []
    var labels: [Int] = []
    for path in paths {
      let file = try MappedFile(path)
      guard file.count > 0, file.count.isMultiple(of: 1 + imageSize) else {
        throw ImageError.invalidFile(
          path,
          problem:
            "it has \(NumberText.counted(file.count, "byte")), which is not a multiple of the \(1 + imageSize) of an image with its label"
        )
      }
      file.withBytes { span in
        for start in stride(from: 0, to: file.count, by: 1 + imageSize) {
          labels.append(unsafe Int(span.unsafeLoad(fromByteOffset: start, as: UInt8.self)))
          let image = span.extracting(start + 1..<start + 1 + imageSize)
          unsafe image.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        }
      }
      if let place = labels.firstIndex(where: { $0 >= classes.count }) {
        throw ImageError.labels(
          path, problem: "image \(place) has the label \(labels[place]), but there are 10 classes")
      }
    }
    return LabelledImages(
      width: 32, height: 32, channels: 3, bytes: bytes, labels: labels, classes: classes)
  }
}
