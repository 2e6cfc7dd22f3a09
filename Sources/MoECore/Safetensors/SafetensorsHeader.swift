/// A tensor's entry in the header of a safetensors file.
public struct SafetensorsEntry: Hashable, Sendable {
  /// The tensor's name, unique in the file.
  public var name: String
  /// Element type.
  public var dtype: DType
  /// Dimensions, outermost first; empty for a scalar.
  public var shape: [Int]
  /// The range of the elements, in bytes from the start of the data (after the header).
  public var range: Range<Int>

  /// Describes a tensor that occupies `range` of the data.
  public init(name: String, dtype: DType, shape: [Int], range: Range<Int>) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
    self.range = range
  }

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// Bytes that `shape` elements of `dtype` need, or `nil` for negative sizes and beyond 64 bits.
  ///
  /// A dimension of 0 counts as 1 in the overflow check, because strides are products of the
  /// others.
  package static func byteCount(shape: [Int], dtype: DType) -> Int? {
    var product = dtype.byteSize
    for size in shape {
      guard size >= 0 else { return nil }
      let (next, overflow) = product.multipliedReportingOverflow(by: max(size, 1))
      guard !overflow else { return nil }
      product = next
    }
    return shape.contains(0) ? 0 : product
  }
}

/// The decoded and checked header of a safetensors file.
///
/// The rules are those of the reference implementation: a header of at most 100 MB, offsets inside
/// the data, no overlaps, no gaps, nothing after the last tensor, no duplicate names, and sizes
/// that agree with shape and type.
///
/// - SeeAlso: [The safetensors format](https://github.com/huggingface/safetensors#format).
public struct SafetensorsHeader: Hashable, Sendable {
  /// Entries in the order of their data.
  public var entries: [SafetensorsEntry]
  /// Free text by key, from the header's `__metadata__`.
  public var metadata: [String: String]

  /// The format's limit on the length of the header, in bytes.
  static let maximumLength = 100_000_000
  /// The most dimensions that libtorch's kernels can iterate over.
  static let maximumRank = 64

  /// Decodes the JSON text of a header and checks every rule that applies to it.
  ///
  /// - Parameters:
  ///   - json: The header's bytes.
  ///   - dataBytes: The number of bytes of data after the header.
  /// - Throws: ``SafetensorsError/Reason``.
  /// - Complexity: O(length + n log n) for n tensors.
  init(json: [UInt8], dataBytes: Int) throws {
    var parser = SafetensorsHeaderParser(json)
    let parsed = try parser.parse()
    metadata = parsed.metadata
    entries = []
    entries.reserveCapacity(parsed.tensors.count)
    for tensor in parsed.tensors { entries.append(try Self.checked(tensor, dataBytes: dataBytes)) }
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }
    try Self.checkCoverage(of: entries, dataBytes: dataBytes)
  }

  /// Checks all rules that concern a single tensor.
  private static func checked(
    _ tensor: SafetensorsHeaderParser.Tensor, dataBytes: Int
  ) throws(SafetensorsError.Reason) -> SafetensorsEntry {
    guard let dtype = DType(safetensorsName: tensor.dtype) else {
      throw .unknownDType(tensor: tensor.name, dtype: tensor.dtype)
    }
    guard tensor.shape.count <= maximumRank else {
      throw .tooManyDimensions(tensor: tensor.name, count: tensor.shape.count)
    }
    guard let needed = SafetensorsEntry.byteCount(shape: tensor.shape, dtype: dtype) else {
      throw .shapeOverflow(tensor: tensor.name, shape: tensor.shape)
    }
    let (begin, end) = (tensor.begin, tensor.end)
    guard begin <= end, end <= dataBytes else {
      throw .offsetsOutOfRange(tensor: tensor.name, begin: begin, end: end, dataBytes: dataBytes)
    }
    guard end - begin == needed else {
      throw .sizeMismatch(tensor: tensor.name, needed: needed, spanned: end - begin)
    }
    return SafetensorsEntry(
      name: tensor.name, dtype: dtype, shape: tensor.shape, range: begin..<end)
  }

  /// Checks that the tensors cover the data from the first to the last byte, without gaps.
  private static func checkCoverage(
    of entries: [SafetensorsEntry], dataBytes: Int
  ) throws(SafetensorsError.Reason) {
    var previousEnd = 0
    for entry in entries {
      let begin = entry.range.lowerBound
      guard begin >= previousEnd else {
        throw .overlap(tensor: entry.name, begin: begin, previousEnd: previousEnd)
      }
      guard begin == previousEnd else { throw .unusedBytes(begin: previousEnd, end: begin) }
      previousEnd = entry.range.upperBound
    }
    guard previousEnd == dataBytes else { throw .unusedBytes(begin: previousEnd, end: dataBytes) }
  }
}

extension DType {
  /// The spelling in safetensors headers, for example `BF16`.
  public var safetensorsName: String {
    switch self {
    case .f8e4m3: "F8_E4M3"
    case .f8e5m2: "F8_E5M2"
    default: rawValue.uppercased()
    }
  }

  /// The type with the given spelling in safetensors headers, or `nil` when there is none.
  public init?(safetensorsName: String) {
    guard let dtype = Self.bySafetensorsName[safetensorsName] else { return nil }
    self = dtype
  }

  private static let bySafetensorsName = Dictionary(
    uniqueKeysWithValues: allCases.map { ($0.safetensorsName, $0) })

  static var safetensorsNames: String { allCases.map(\.safetensorsName).joined(separator: ", ") }
}
