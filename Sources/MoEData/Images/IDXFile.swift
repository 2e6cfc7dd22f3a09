import MoECore
public import SystemPackage

/// The format of MNIST: a file of images and a file of labels, each a header and bytes.
///
///     0, 0, 8 (unsigned bytes), number of axes, then the size of each axis as a big-endian u32, then the bytes
///
/// - SeeAlso: LeCun, Cortes and Burges, *The MNIST database of handwritten digits*.
public enum IDXFile {
  /// Reads a pair of files.
  ///
  /// - Parameters:
  ///   - images: `[images, rows, columns]`, grey levels from 0 (black) to 255.
  ///   - labels: `[images]`.
  ///   - classes: Names of the classes; `nil` to use their indices.
  /// - Returns: The images, with one channel.
  /// - Throws: ``ImageError`` that names the file and the problem, or a `FileError`.
  public static func read(
    images: FilePath, labels: FilePath, classes: [String]? = nil
  ) throws -> LabelledImages {
    let (pixels, shape) = try read(images, axes: 3)
    let (numbers, counts) = try read(labels, axes: 1)
    guard counts[0] == shape[0] else {
      throw ImageError.labels(
        labels,
        problem:
          "it holds \(NumberText.counted(counts[0], "label")), but \(images) holds \(NumberText.counted(shape[0], "image"))"
      )
    }
    let most = Int(numbers.max() ?? 0)
    let names = classes ?? (0...most).map(String.init)
    guard most < names.count else {
      throw ImageError.labels(
        labels, problem: "it holds the label \(most), but there are \(names.count) classes")
    }
    return LabelledImages(
      width: shape[2], height: shape[1], channels: 1, bytes: pixels, labels: numbers.map(Int.init),
      classes: names)
  }

  private static func read(
    _ path: FilePath, axes: Int
  ) throws -> (bytes: [UInt8], shape: [Int]) {
    let bytes = try MappedFile(path).copied(upTo: FileLimit.text)
    func invalid(_ problem: String) -> ImageError { .invalidFile(path, problem: problem) }
    if bytes.starts(with: [0x1F, 0x8B]) {
      throw invalid("it is compressed; unpack it with gunzip")
    }
    let header = 4 + 4 * axes
    guard bytes.count >= header, bytes.starts(with: [0, 0, 8, UInt8(axes)]) else {
      throw invalid("it is not an IDX file of unsigned bytes with \(axes) axes")
    }
    let shape = (0..<axes).map { axis in
      bytes[4 + 4 * axis..<8 + 4 * axis].reduce(0) { $0 << 8 | Int($1) }
    }
    // Three axes could exceed 64 bits, so that the comparison starts from the known number of bytes.
    let rest = shape.reduce(bytes.count - header) { $1 > 0 && $0.isMultiple(of: $1) ? $0 / $1 : 0 }
    guard shape.allSatisfy({ 1...(1 << 24) ~= $0 }), rest == 1 else {
      throw invalid(
        "its header says \(shape.map(String.init).joined(separator: "×")), which are not the \(bytes.count - header) bytes that follow"
      )
    }
    return (Array(bytes[header...]), shape)
  }

  /// The bytes of an image file and of a label file.
  public static func bytes(of set: LabelledImages) -> (images: [UInt8], labels: [UInt8]) {
    precondition(set.channels == 1 && set.classes.count <= 256)
    func header(_ shape: [Int]) -> [UInt8] {
      [0, 0, 8, UInt8(shape.count)]
        + shape.flatMap { size in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) } }
    }
    return (
      header([set.count, set.height, set.width]) + set.bytes,
      header([set.count]) + set.labels.map { UInt8($0) }
    )
  }
}
