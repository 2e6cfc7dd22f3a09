/// A tensor's entry in a GGUF file.
public struct GGUFTensor: Hashable, Sendable {
  /// The tensor's name, unique in the file.
  public var name: String
  /// How the elements are stored.
  public var type: GGUFTensorType
  /// Dimensions, outermost first: the reverse of their order in the file.
  public var shape: [Int]
  /// The range of the elements, in bytes from the start of the file.
  public var range: Range<Int>

  /// Describes a tensor that occupies `range` of the file.
  public init(name: String, type: GGUFTensorType, shape: [Int], range: Range<Int>) {
    (self.name, self.type, self.shape, self.range) = (name, type, shape, range)
  }

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }
}

/// The decoded and checked header of a GGUF file.
///
/// - SeeAlso: [The GGUF format](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md).
struct GGUFHeader {
  typealias Reason = GGUFError.Reason
  /// ggml's limit on the number of dimensions.
  static let largestRank = 4
  private static let longestKey = 65_535
  /// More than ggml's limit of 63, which other writers exceed.
  private static let longestName = 1_024
  private static let largestAlignment = 1 << 20

  let version: UInt32
  private(set) var metadata: [String: GGUFValue] = [:]
  private(set) var tensors: [GGUFTensor] = []

  /// Reads everything before the data and checks every rule that applies to it.
  ///
  /// - Complexity: O(header + n log n) for n tensors.
  init(_ file: MappedFile) throws(Reason) {
    var cursor = GGUFCursor(file)
    version = try Self.version(&cursor)
    let tensorCount = try cursor.number(UInt64.self, of: "the number of tensors")
    // At least: a key's length, a type and a one-byte value.
    let keyCount = try cursor.count(of: "keys", each: 8 + 4 + 1)
    for _ in 0..<keyCount { try readKey(&cursor) }
    let alignment = try alignment()
    let entries = try Self.entries(tensorCount, &cursor)
    let start = (cursor.offset + alignment - 1) / alignment * alignment
    tensors.reserveCapacity(entries.count)
    for entry in entries {
      tensors.append(
        try entry.checked(dataStart: start, fileBytes: file.count, alignment: alignment))
    }
    try checkPlaces(dataStart: start)
  }

  private static func version(_ cursor: inout GGUFCursor) throws(Reason) -> UInt32 {
    guard cursor.remaining >= 4, try cursor.number(UInt32.self, of: "the header") == 0x4655_4747
    else { throw .notGGUF }
    let version = try cursor.number(UInt32.self, of: "the version")
    guard version == 0 || version & 0xFFFF != 0 else { throw .bigEndian }
    guard 2...3 ~= version else { throw .unsupportedVersion(version) }
    return version
  }

  private mutating func readKey(_ cursor: inout GGUFCursor) throws(Reason) {
    let key = try cursor.text(of: "a key of the metadata", atMost: Self.longestKey)
    guard metadata.updateValue(try cursor.value(ofKey: key), forKey: key) == nil else {
      throw .duplicateKey(key)
    }
  }

  private func alignment() throws(Reason) -> Int {
    let key = "general.alignment"
    guard let value = metadata[key] else { return 32 }
    guard case .unsigned(let number) = value, number >= 1, number <= Self.largestAlignment,
      number & (number - 1) == 0
    else {
      throw .invalidValue(
        key: key, found: value.summary, expected: "a power of two up to \(Self.largestAlignment)")
    }
    return Int(number)
  }

  /// An entry as stored in the file.
  fileprivate struct Entry {
    var name: String
    var sizes: [UInt64]
    var type: UInt32
    var offset: UInt64
  }

  private static func entries(
    _ count: UInt64, _ cursor: inout GGUFCursor
  ) throws(Reason) -> [Entry] {
    // At least: a name's length, a rank, one size, a type and an offset.
    let limit = cursor.remaining / (8 + 4 + 8 + 4 + 8)
    guard count <= UInt64(limit) else {
      throw .tooMany(what: "tensors", count: count, limit: limit)
    }
    var names: Set<String> = []
    var entries: [Entry] = []
    for _ in 0..<Int(count) {
      let entry = try Entry(&cursor, longestName: longestName)
      guard names.insert(entry.name).inserted else { throw .duplicateTensor(entry.name) }
      entries.append(entry)
    }
    return entries
  }

  private func checkPlaces(dataStart: Int) throws(Reason) {
    var previousEnd = dataStart
    for tensor in tensors.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
      guard tensor.range.lowerBound >= previousEnd else {
        throw .overlap(
          tensor: tensor.name, offset: tensor.range.lowerBound - dataStart,
          previousEnd: previousEnd - dataStart)
      }
      previousEnd = tensor.range.upperBound
    }
  }
}

extension GGUFHeader.Entry {
  init(_ cursor: inout GGUFCursor, longestName: Int) throws(GGUFError.Reason) {
    name = try cursor.text(of: "a tensor's name", atMost: longestName)
    let what = "the entry of tensor '\(name)'"
    let rank = try cursor.number(UInt32.self, of: what)
    guard 1...GGUFHeader.largestRank ~= Int(rank) else {
      throw .wrongRank(tensor: name, count: rank)
    }
    sizes = []
    for _ in 0..<rank { sizes.append(try cursor.number(UInt64.self, of: what)) }
    type = try cursor.number(UInt32.self, of: what)
    offset = try cursor.number(UInt64.self, of: what)
  }

  /// The entry with its position in the file, after all checks that need no other entry.
  func checked(
    dataStart: Int, fileBytes: Int, alignment: Int
  ) throws(GGUFError.Reason) -> GGUFTensor {
    guard let type = GGUFTensorType(rawValue: type) else {
      throw .unsupportedType(tensor: name, type: GGUFTensorType.name(of: type))
    }
    let needed = try byteCount(type)
    guard offset.isMultiple(of: UInt64(alignment)) else {
      throw .misaligned(tensor: name, offset: offset, alignment: alignment)
    }
    let dataBytes = max(0, fileBytes - dataStart)
    guard offset <= UInt64(dataBytes), needed <= dataBytes - Int(offset) else {
      throw .outOfRange(tensor: name, offset: offset, needed: needed, dataBytes: dataBytes)
    }
    let begin = dataStart + Int(offset)
    return GGUFTensor(
      name: name, type: type, shape: sizes.reversed().map { Int($0) }, range: begin..<begin + needed
    )
  }

  private func byteCount(_ type: GGUFTensorType) throws(GGUFError.Reason) -> Int {
    guard sizes[0].isMultiple(of: UInt64(type.blockSize)) else {
      throw .invalidShape(
        tensor: name, shape: sizes,
        expected: "rows of \(type) must be multiples of \(type.blockSize)")
    }
    var bytes = UInt64(type.blockBytes)
    for size in [sizes[0] / UInt64(type.blockSize)] + sizes.dropFirst() {
      let (product, overflow) = bytes.multipliedReportingOverflow(by: size)
      guard size > 0, !overflow, product <= Int64.max else {
        throw .invalidShape(
          tensor: name, shape: sizes, expected: "every size must be above 0 and fit into memory")
      }
      bytes = product
    }
    return Int(bytes)
  }
}
