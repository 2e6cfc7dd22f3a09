import CImages
import MoECore
public import SystemPackage

/// Reads and writes single images.
public enum ImageFile {
  /// The largest supported number of pixels per side.
  public static let largestSide = 16_384

  private enum Format { case png, jpeg }

  /// Reads a PNG or JPEG file, determined by its first bytes.
  ///
  /// The values are those that the file holds, scaled to 8 bits; what it says about its colour space (gamma, ICC
  /// profile) is ignored, as training code usually does. Transparent parts show white, colours become grey by
  /// ITU-R BT.601, and an EXIF orientation is applied, in this order and in these values.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - channels: 1 or 3; `nil` for as many as the file has.
  /// - Returns: The pixels.
  /// - Throws: ``ImageError``, or a `FileError`.
  public static func read(_ path: FilePath, channels: Int? = nil) throws -> Pixels {
    let bytes = try MappedFile(path).copied(upTo: FileLimit.text)
    let pixels: Pixels
    let exif: ArraySlice<UInt8>?
    switch format(of: bytes) {
    case .png:
      let chunks = try PNGChunks(bytes, path)
      exif = chunks.exif
      pixels = unsafe try decode(
        chunks.essential, path, header: cimages_png_header, read: cimages_png_read)
    case .jpeg:
      exif = JPEGMarkers.exif(in: bytes)
      pixels = unsafe try decode(bytes, path, header: cimages_jpeg_header, read: cimages_jpeg_read)
    case nil: throw ImageError.unknownFormat(path)
    }
    let orientation = exif.flatMap(ImageOrientation.init(exif:)) ?? .upright
    return pixels.converted(channels: channels ?? pixels.channels).oriented(orientation)
  }

  private typealias HeaderReader =
    (UnsafeRawPointer?, Int, UnsafeMutablePointer<cimages_header>?) -> Bool
  private typealias PixelReader =
    (UnsafeRawPointer?, Int, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<cimages_header>?) ->
    Bool

  private static func decode(
    _ bytes: [UInt8], _ path: FilePath, header readHeader: HeaderReader, read: PixelReader
  ) throws -> Pixels {
    var header = cimages_header()
    let isKnown = unsafe bytes.withUnsafeBytes { bytes in
      unsafe readHeader(bytes.baseAddress, bytes.count, &header)
    }
    guard isKnown else { throw ImageError.unreadable(path, problem: message(header)) }
    let (width, height) = (Int(header.width), Int(header.height))
    guard 1...largestSide ~= width, 1...largestSide ~= height else {
      throw ImageError.tooLarge(path, width: width, height: height)
    }
    let channels = Int(header.channels)
    let perPixel = channels + (header.has_alpha ? 1 : 0)
    var samples = [UInt8](repeating: 0, count: width * height * perPixel)
    let isRead = unsafe bytes.withUnsafeBytes { bytes in
      unsafe samples.withUnsafeMutableBufferPointer { samples in
        unsafe read(bytes.baseAddress, bytes.count, samples.baseAddress, &header)
      }
    }
    guard isRead else { throw ImageError.unreadable(path, problem: message(header)) }
    return Pixels(
      width: width, height: height, channels: channels,
      bytes: perPixel == channels ? samples : Pixels.onWhite(samples, channels: channels))
  }

  private static func format(of bytes: [UInt8]) -> Format? {
    if bytes.starts(with: PNGChunks.signature) { return .png }
    return bytes.starts(with: [0xFF, 0xD8, 0xFF]) ? .jpeg : nil
  }

  private static func message(_ header: cimages_header) -> String {
    unsafe withUnsafeBytes(of: header.message) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).printable
    }
  }

  /// The bytes of a PNG file; equal pixels give equal bytes.
  public static func png(_ image: Pixels) -> [UInt8] {
    let (width, height) = (UInt32(image.width), UInt32(image.height))
    let channels = UInt32(image.channels)
    return unsafe image.bytes.withUnsafeBufferPointer { pixels in
      var count = 0
      _ = unsafe cimages_png_write(pixels.baseAddress, width, height, channels, nil, &count)
      var bytes = [UInt8](repeating: 0, count: count)
      let isWritten = unsafe bytes.withUnsafeMutableBytes {
        unsafe cimages_png_write(
          pixels.baseAddress, width, height, channels, $0.baseAddress, &count)
      }
      precondition(isWritten, "a PNG file of \(width)×\(height) pixels cannot be created")
      bytes.removeLast(bytes.count - count)
      return bytes
    }
  }

  /// Writes a PNG file atomically.
  ///
  /// - Throws: A `FileError`.
  public static func write(_ image: Pixels, to path: FilePath) throws {
    try AtomicFile.write(png(image), to: path)
  }
}
