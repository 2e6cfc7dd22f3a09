import Foundation
import MoECore
import SystemPackage

/// A memory-mapped array in NumPy's `.npy` format: versions 1 to 3, little-endian, C or Fortran
/// order.
///
/// - SeeAlso: [The npy
///   format](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
struct NumPyFile {
  /// Supported kinds of numbers.
  enum Kind {
    case unsigned, signed, float
  }

  let shape: [Int]
  let kind: Kind
  private let size: Int
  private let start: Int
  private let file: MappedFile
  private let isFortran: Bool

  /// The number of elements.
  var count: Int { shape.reduce(1, *) }

  /// Opens and checks a file.
  ///
  /// - Throws: ``TracingError/invalidFile(_:_:)`` or `FileError`.
  init(_ path: FilePath) throws {
    let file = try MappedFile(path)
    self.file = file
    let problem = { (text: String) in TracingError.invalidFile(path, text) }
    guard file.count >= 12, file.byte(0) == 0x93, file.text(1..<6) == "NUMPY" else {
      throw problem("it is not an npy file, which begins with \\x93NUMPY")
    }
    let isLong = file.byte(6) >= 2
    let length = (0..<(isLong ? 4 : 2)).reduce(0) { $0 | Int(file.byte(8 + $1)) << (8 * $1) }
    start = (isLong ? 12 : 10) + length
    guard 1...3 ~= file.byte(6), start <= file.count, length <= 1 << 16 else {
      throw problem("its header is longer than the file or of an unknown version")
    }
    let header = file.text(start - length..<start)
    guard let type = Self.value("descr", in: header),
      let order = Self.value("fortran_order", in: header),
      let sizes = Self.value("shape", in: header)
    else { throw problem("its header lacks 'descr', 'fortran_order' or 'shape'") }
    let name = type.filter { !"'\" ".contains($0) }
    switch name.dropFirst().first {
    case "u", "b": kind = .unsigned
    case "i": kind = .signed
    case "f": kind = .float
    default: throw problem("its elements are \(name); expected integers or floating-point numbers")
    }
    guard let size = Int(name.dropFirst(2)), [1, 2, 4, 8].contains(size),
      name.hasPrefix("<") || size == 1 || name.hasPrefix("=")
    else {
      throw problem("its elements are \(name); expected little-endian numbers of up to 8 bytes")
    }
    self.size = size
    isFortran = order.contains("True")
    shape = sizes.split { "(), ".contains($0) }.compactMap { Int($0) }
    guard let bytes = SafetensorsEntry.byteCount(shape: shape + [size], dtype: .u8),
      bytes == file.count - start
    else {
      throw problem(
        "its shape \(shape) of \(size)-byte numbers does not fit the \(file.count - start) bytes after the header; the file was cut short or its header is wrong"
      )
    }
  }

  private static func value(_ key: String, in header: String) -> String? {
    guard let place = header.range(of: "'\(key)':") else { return nil }
    let rest = header[place.upperBound...].drop { $0 == " " }
    let end = rest.first == "(" ? rest.firstIndex(of: ")") : rest.firstIndex { ",}".contains($0) }
    return end.map { String(rest[..<$0]) }
  }

  /// Elements in a range of the array in row-major order, as integers.
  func integers(_ range: Range<Int>) -> [Int] {
    numbers(range, integer: { $0 }, float: { $0.isFinite && abs($0) < 1e18 ? Int($0) : Int.min })
  }

  /// Elements in a range of the array in row-major order.
  func floats(_ range: Range<Int>) -> [Double] {
    numbers(range, integer: { Double($0) }, float: { $0 })
  }

  /// Expert ids in a range of an array `[tokens, layers]` or `[tokens, layers, k]` in row-major order: -1, and the
  /// largest number of an unsigned type of several bytes, become an unused slot.
  ///
  /// - Throws: ``TracingError/invalidFile(_:_:)`` for floating-point numbers, and numbers that are no ids.
  func experts(_ range: Range<Int>) throws -> [UInt16] {
    guard kind != .float else {
      throw TracingError.invalidFile(
        file.path, "its elements are floating-point numbers; expected expert ids")
    }
    return switch (kind, size) {
    case (.unsigned, 1): try ids(range, UInt8.self)
    case (.unsigned, 2): try ids(range, UInt16.self)
    case (.unsigned, 4): try ids(range, UInt32.self)
    case (.unsigned, _): try ids(range, UInt64.self)
    case (.signed, 1): try ids(range, Int8.self)
    case (.signed, 2): try ids(range, Int16.self)
    case (.signed, 4): try ids(range, Int32.self)
    default: try ids(range, Int64.self)
    }
  }

  private func ids<N: FixedWidthInteger & BitwiseCopyable>(
    _ range: Range<Int>, _ type: N.Type
  ) throws -> [UInt16] {
    // In a single byte, -1 is 255, which may be an expert as well.
    let unused: N? = N.isSigned ? ~0 : N.bitWidth > 8 ? .max : nil
    var wrong: (place: Int, number: N)?
    let result = file.withBytes { bytes in
      unsafe [UInt16](unsafeUninitializedCapacity: range.count) { buffer, count in
        for place in range {
          let at = start + (isFortran ? fortranPlace(place) : place) * MemoryLayout<N>.size
          let number = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: N.self)
          let id = number == unused ? UInt16.max : UInt16(exactly: number)
          if id == nil || (id == .max && number != unused), wrong == nil { wrong = (place, number) }
          unsafe buffer[place - range.lowerBound] = id ?? .max
        }
        count = range.count
      }
    }
    if let (place, number) = wrong {
      let k = shape.count == 3 ? max(1, shape[2]) : 1
      let row = place / k
      throw TracingError.invalidFile(
        file.path,
        ExpertID.problem(number, "token \(row / shape[1])", layer: row % shape[1]))
    }
    return result
  }

  /// Whether ids are unsigned bytes, whose 255 is an expert or an unused slot.
  var hasByteIDs: Bool { kind == .unsigned && size == 1 }

  private func numbers<T>(
    _ range: Range<Int>, integer: (Int) -> T, float: (Double) -> T
  ) -> [T] {
    file.withBytes { bytes in
      range.map { place in
        let at = start + (isFortran ? fortranPlace(place) : place) * size
        func load<N: BitwiseCopyable>(_ type: N.Type) -> N {
          unsafe bytes.unsafeLoadUnaligned(fromByteOffset: at, as: type)
        }
        switch (kind, size) {
        case (.unsigned, 1): return integer(Int(load(UInt8.self)))
        case (.unsigned, 2): return integer(Int(load(UInt16.self)))
        case (.unsigned, 4): return integer(Int(load(UInt32.self)))
        case (.unsigned, _): return integer(Int(clamping: load(UInt64.self)))
        case (.signed, 1): return integer(Int(load(Int8.self)))
        case (.signed, 2): return integer(Int(load(Int16.self)))
        case (.signed, 4): return integer(Int(load(Int32.self)))
        case (.signed, _): return integer(Int(load(Int64.self)))
        case (.float, 2): return float(Double(Float16(bitPattern: load(UInt16.self))))
        case (.float, 4): return float(Double(load(Float.self)))
        case (.float, 8): return float(load(Double.self))
        case (.float, _): return float(.nan)
        }
      }
    }
  }

  private func fortranPlace(_ place: Int) -> Int {
    var (rest, result, stride) = (place, 0, count)
    for size in shape.reversed() {
      stride /= size
      result += (rest % size) * stride
      rest /= size
    }
    return result
  }

  /// Releases the memory of pages that were read.
  func discardPages() { file.discardPages() }
}

extension MappedFile {
  func byte(_ place: Int) -> UInt8 {
    withBytes(in: place..<place + 1) { unsafe $0.unsafeLoad(as: UInt8.self) }
  }

  func text(_ range: Range<Int>) -> String {
    withBytes(in: range) { bytes in
      unsafe bytes.withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }
  }
}
