public import SystemPackage

/// The header entry of a tensor to be written.
///
/// Its bytes are requested when it is written.
public struct SafetensorsItem: Hashable, Sendable {
  /// The tensor's name, unique in the file.
  public var name: String
  /// Element type.
  public var dtype: DType
  /// Dimensions, outermost first.
  public var shape: [Int]

  /// Describes a tensor to be written.
  public init(name: String, dtype: DType, shape: [Int]) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
  }

  /// The size of the elements in bytes.
  public var byteCount: Int { shape.contains(0) ? 0 : shape.reduce(dtype.byteSize, *) }
}

/// Something whose bytes can be read as one contiguous span.
public protocol ByteSource {
  /// Calls `body` with all bytes: the elements row-major, each little-endian.
  ///
  /// - Throws: What `body` throws.
  func withBytes(_ body: (RawSpan) throws -> Void) throws
}

extension [UInt8]: ByteSource {
  /// Calls `body` with the elements.
  public func withBytes(_ body: (RawSpan) throws -> Void) throws {
    unsafe try body(span.bytes)
  }
}

/// Writes safetensors files atomically.
public enum SafetensorsWriter {
  /// The order of the tensors in a file, and where their data begin.
  public enum Layout: Hashable, Sendable {
    /// That of the reference implementation: by type, then by name.
    case reference
    /// The given order, with data that begin at a multiple of `page` bytes.
    case asGiven(page: Int)
  }

  /// Writes one file.
  ///
  /// By default, the output is identical to the reference implementation's: tensors in descending order
  /// of element size, so that each is aligned to its type, then by type and name.
  ///
  /// - Parameters:
  ///   - items: The tensors, in any order.
  ///   - metadata: Free text by key.
  ///   - layout: The order of the tensors.
  ///   - path: The file, which is replaced if it exists.
  ///   - contents: Provides the elements of a tensor when it is about to be written.
  /// - Throws: ``FileError``, ``SafetensorsError`` for what the format cannot represent, or what
  ///   `contents` throws; the file is unchanged in that case.
  /// - Precondition: Names are unique and every tensor has as many bytes as announced.
  public static func write(
    _ items: [SafetensorsItem], metadata: [String: String] = [:], layout: Layout = .reference,
    to path: FilePath, contents: (SafetensorsItem) throws -> any ByteSource
  ) throws {
    for item in items
    where SafetensorsEntry.byteCount(shape: item.shape, dtype: item.dtype) == nil {
      throw SafetensorsError(
        path: path, reason: .shapeOverflow(tensor: item.name, shape: item.shape))
    }
    let ordered = layout == .reference ? items.sorted(by: precedes) : items
    var page = 8
    if case .asGiven(let size) = layout { page = size }
    let header = SafetensorsHeaderText(ordered, metadata: metadata, page: page).bytes
    guard header.count <= SafetensorsHeader.maximumLength else {
      throw SafetensorsError(path: path, reason: .headerTooLong(bytes: UInt64(header.count)))
    }
    guard !items.contains(where: { $0.name == "__metadata__" }) else {
      throw SafetensorsError(path: path, reason: .duplicateName("__metadata__"))
    }
    try AtomicFile.write(to: path) { file in
      unsafe try file.append(header.span.bytes)
      for item in ordered {
        try contents(item).withBytes { bytes in
          let count = bytes.byteCount
          precondition(
            count == item.byteCount, "\(item.name): \(count) bytes for \(item.byteCount)")
          try file.append(bytes)
        }
      }
    }
  }
}

extension SafetensorsWriter {
  /// The order of the reference implementation.
  private static func precedes(_ left: SafetensorsItem, _ right: SafetensorsItem) -> Bool {
    let (leftPlace, rightPlace) = (place[left.dtype] ?? 0, place[right.dtype] ?? 0)
    guard leftPlace == rightPlace else { return leftPlace < rightPlace }
    return left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
  }

  private static let place: [DType: Int] = {
    let order: [DType] = [
      .u64, .i64, .f64, .f32, .u32, .i32, .bf16, .f16, .u16, .i16, .f8e4m3, .f8e5m2, .i8, .u8,
      .bool,
    ]
    return Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, $0) })
  }()
}

/// The header of a file as bytes, including its length.
package struct SafetensorsHeaderText {
  package let bytes: [UInt8]

  /// Creates a header for tensors whose data are stored in this order, from a multiple of `page` bytes on.
  package init(_ items: [SafetensorsItem], metadata: [String: String], page: Int = 8) {
    var fields: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map {
        "\($0.jsonQuoted):\($1.jsonQuoted)"
      }
      fields.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var offset = 0
    for item in items {
      let end = offset + item.byteCount
      let shape = item.shape.map(String.init).joined(separator: ",")
      fields.append(
        """
        \(item.name.jsonQuoted):{"dtype":"\(item.dtype.safetensorsName)","shape":[\(shape)],\
        "data_offsets":[\(offset),\(end)]}
        """)
      offset = end
    }
    precondition(Set(items.map(\.name)).count == items.count, "tensor names must be unique")
    var json = Array("{\(fields.joined(separator: ","))}".utf8)
    // Spaces align the data, at least to the largest element size.
    let left = (page - (json.count + 8) % page) % page
    json.append(contentsOf: repeatElement(UInt8(ascii: " "), count: left))
    bytes = (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) } + json
  }
}
