import MoECore
import MoEModels
public import MoETensor
public import SystemPackage

/// Images as the distributions that an autoencoder encodes them as, in a simple safetensors file.
///
///     mean     f32, f16 or bf16   [images, channels, rows, columns]
///     std      the same shape     absent if the encoder gives no deviation
///     labels   i64 or i32         [images]
///
/// The metadata entry `switchyard` holds `{"version": 1, "classes": N}`; with `"scale": S` means and deviations are
/// multiplied by S (0.18215 for the encoder of Stable Diffusion). A new sample is drawn each time
/// an image is used.
public final class LatentImages: ImageSet {
  /// Number of classes.
  public let classes: Int
  private let mean: Tensor
  private let deviation: Tensor?
  private let labels: [Int]
  /// The factor of means and deviations.
  public let scale: Double

  /// Maps a file, and checks its values once.
  ///
  /// - Throws: `ConfigurationError` that says what is wrong, `SafetensorsError` or a `FileError`.
  public init(_ path: FilePath) throws {
    let file = try SafetensorsFile(path)
    func invalid(_ key: String, _ value: String, _ expected: String) -> ConfigurationError {
      .invalidValue(path: path, key: key, value: value, expected: expected)
    }
    guard let text = file.header.metadata["switchyard"] else {
      throw ConfigurationError.missingKey(path: path, key: "switchyard")
    }
    let json = try ConfigurationObject(parsing: Array(text.utf8), in: path)
    try json.refuseKeys(except: ["version", "classes", "scale"])
    _ = try json.int("version", in: 1...1)
    classes = try json.int("classes", in: 1...(1 << 20))
    scale = try json.optionalNumber("scale") ?? 1
    mean = try file.tensor(named: "mean")
    guard mean.rank == 4, mean.dtype.isFloatingPoint, mean.count > 0 else {
      throw invalid(
        "mean", "\(mean.dtype) \(mean.shape)", "numbers [images, channels, rows, columns]")
    }
    guard mean.size(2) == mean.size(3) else {
      throw invalid("mean", "\(mean.shape)", "as many rows as columns")
    }
    deviation =
      file.header.entries.contains { $0.name == "std" } ? try file.tensor(named: "std") : nil
    if let deviation, deviation.shape != mean.shape || !deviation.dtype.isFloatingPoint {
      throw invalid("std", "\(deviation.dtype) \(deviation.shape)", "like mean, \(mean.shape)")
    }
    let stored = try file.tensor(named: "labels")
    guard stored.shape == [mean.size(0)], stored.dtype == .i64 || stored.dtype == .i32 else {
      throw invalid("labels", "\(stored.dtype) \(stored.shape)", "i64 or i32 [\(mean.size(0))]")
    }
    labels = stored.cast(to: .i64).array(of: Int64.self).map(Int.init(clamping:))
    if let wrong = labels.first(where: { !(0..<classes ~= $0) }) {
      throw invalid("labels", "\(wrong) among others", "from 0 to \(classes - 1)")
    }
    try Self.check(mean, "mean", "finite", in: path) { $0.isFinite() }
    if let deviation {
      try Self.check(deviation, "std", "finite and at least 0", in: path) {
        $0.isFinite() .& ($0 .>= 0)
      }
    }
  }

  /// Checks all values once, and reports the first image with an invalid one.
  private static func check(
    _ values: Tensor, _ name: String, _ expected: String, in path: FilePath,
    isRight: (Tensor) -> Tensor
  ) throws(ConfigurationError) {
    let size = 256
    for start in stride(from: 0, to: values.size(0), by: size) {
      let right = isRight(values[start..<min(start + size, values.size(0))])
      guard !right.all(), let place = (0..<right.size(0)).first(where: { !right[$0].all() }) else {
        continue
      }
      throw .invalidValue(
        path: path, key: name, value: "infinite, NaN or negative in image \(start + place)",
        expected: expected)
    }
  }

  /// Writes images of a latent model in this format, for a program with the decoder.
  ///
  /// - Parameters:
  ///   - images: The model's outputs, shape `[images, channels, rows, columns]`; they are not
  ///     clipped.
  ///   - labels: One per image.
  ///   - classes: Number of the model's classes.
  ///   - scale: The factor of latents for the model; the file contains them without it.
  ///   - path: A new file, or one to replace.
  /// - Throws: A `FileError`.
  public static func write(
    _ images: Tensor, labels: [Int], classes: Int, scale: Double, to path: FilePath
  ) throws {
    try SafetensorsFile.write(
      ["mean": images.cast(to: .f32) / scale, "labels": Tensor(labels)],
      metadata: ["switchyard": "{\"version\": 1, \"classes\": \(classes), \"scale\": \(scale)}"],
      to: path)
  }

  /// Channels, rows and columns.
  public var imageShape: [Int] { Array(mean.shape.dropFirst()) }
  /// Number of images.
  public var count: Int { labels.count }
  /// The label of an image.
  public func label(_ number: Int) -> Int { labels[number] }

  /// Samples some images, or returns their means.
  public func images(_ numbers: [Int], random: RandomSource?) -> Tensor {
    let places = Tensor(numbers)
    var result = mean.selecting(places).cast(to: .f32)
    if let random, let deviation {
      result = result + deviation.selecting(places).cast(to: .f32) * random.normal(result.shape)
    }
    return scale == 1 ? result : result * scale
  }
}
