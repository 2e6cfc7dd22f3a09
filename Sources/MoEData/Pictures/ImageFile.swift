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
  /// Transparent parts become white, and 16-bit channels are reduced to 8 bits.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - channels: 1 or 3; `nil` for as many as the file has.
  /// - Returns: The pixels.
  /// - Throws: ``ImageError``, or a `FileError`.
  public static func read(_ path: FilePath, channels: Int? = nil) throws -> Pixels {
    let file = try MappedFile(path)
    return try file.withBytes { bytes in
      try unsafe bytes.withUnsafeBytes { unsafe try decode($0, path, channels: channels) }
    }
  }

  private static func decode(
    _ bytes: UnsafeRawBufferPointer, _ path: FilePath, channels: Int?
  ) throws -> Pixels {
    guard let format = unsafe format(of: bytes) else { throw ImageError.unknownFormat(path) }
    var header = cimages_header()
    let isKnown =
      switch format {
      case .png: unsafe cimages_png_header(bytes.baseAddress, bytes.count, &header)
      case .jpeg: unsafe cimages_jpeg_header(bytes.baseAddress, bytes.count, &header)
      }
    guard isKnown else { throw ImageError.unreadable(path, problem: message(header)) }
    let (width, height) = (Int(header.width), Int(header.height))
    guard 1...largestSide ~= width, 1...largestSide ~= height else {
      throw ImageError.tooLarge(path, width: width, height: height)
    }
    let channels = channels ?? Int(header.channels)
    var pixels = [UInt8](repeating: 0, count: width * height * channels)
    let isRead = unsafe pixels.withUnsafeMutableBufferPointer { pixels in
      switch format {
      case .png:
        unsafe cimages_png_read(
          bytes.baseAddress, bytes.count, UInt32(channels), pixels.baseAddress, &header)
      case .jpeg:
        unsafe cimages_jpeg_read(
          bytes.baseAddress, bytes.count, UInt32(channels), pixels.baseAddress, &header)
      }
    }
    guard isRead else { throw ImageError.unreadable(path, problem: message(header)) }
    return Pixels(width: width, height: height, channels: channels, bytes: pixels)
  }

  private static func format(of bytes: UnsafeRawBufferPointer) -> Format? {
    if unsafe bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return .png }
    return unsafe bytes.starts(with: [0xFF, 0xD8, 0xFF]) ? .jpeg : nil
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
