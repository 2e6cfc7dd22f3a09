/// Records of an uncompressed zip container, as `torch.save` writes it, with zip64 sizes.
///
/// - SeeAlso: PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16 and 4.5.3.
struct ZipDirectory {
  /// The range of each record's bytes in the file.
  private(set) var records: [String: Range<Int>] = [:]

  private static let endLength = 22
  private static let entryLength = 46
  private static let localLength = 30

  init(_ bytes: RawSpan) throws(PickleError.Reason) {
    let end = try Self.endOfDirectory(bytes)
    var (count, start) = (Int(bytes.u16(end + 10)), Int(bytes.u32(end + 16)))
    if count == 0xFFFF || start == 0xFFFF_FFFF {
      (count, start) = try Self.wideEnd(bytes, before: end)
    }
    guard count <= 1_000_000 else { throw .tooLarge("the container lists \(count) records") }
    var place = start
    for _ in 0..<count {
      guard place >= 0, place <= end - Self.entryLength, bytes.u32(place) == 0x0201_4B50 else {
        throw .invalidContainer("its list of records is damaged or cut short")
      }
      let (name, range, next) = try Self.record(bytes, at: place, end: end)
      guard records.updateValue(range, forKey: name) == nil else {
        throw .invalidContainer("it holds '\(name)' twice")
      }
      place = next
    }
  }

  private static func endOfDirectory(_ bytes: RawSpan) throws(PickleError.Reason) -> Int {
    let last = bytes.byteCount - endLength
    guard last >= 0 else {
      throw .invalidContainer("it has only \(NumberText.counted(bytes.byteCount, "byte"))")
    }
    for place in stride(from: last, through: max(0, last - 0xFFFF), by: -1)
    where bytes.u32(place) == 0x0605_4B50 {
      return place
    }
    throw .invalidContainer("it is not a zip file")
  }

  private static func wideEnd(
    _ bytes: RawSpan, before end: Int
  ) throws(PickleError.Reason) -> (Int, Int) {
    let locator = end - 20
    guard locator >= 0, bytes.u32(locator) == 0x0706_4B50,
      let place = Int(exactly: bytes.u64(locator + 8)), place <= locator - 56,
      bytes.u32(place) == 0x0606_4B50, let count = Int(exactly: bytes.u64(place + 32)),
      let start = Int(exactly: bytes.u64(place + 48))
    else { throw .invalidContainer("its zip64 directory is damaged") }
    return (count, start)
  }

  /// A record's name and data, and the start of the next entry.
  private static func record(
    _ bytes: RawSpan, at place: Int, end: Int
  ) throws(PickleError.Reason) -> (String, Range<Int>, Int) {
    let nameLength = Int(bytes.u16(place + 28))
    let extraLength = Int(bytes.u16(place + 30))
    let next = place + entryLength + nameLength + extraLength + Int(bytes.u16(place + 32))
    guard next <= end else { throw .invalidContainer("its list of records is cut short") }
    let name = bytes.text(place + entryLength..<place + entryLength + nameLength)
    guard bytes.u16(place + 10) == 0, bytes.u16(place + 8) & 1 == 0 else {
      throw .invalidContainer("its record '\(name)' is compressed or encrypted")
    }
    var sizes = [
      Int(bytes.u32(place + 24)), Int(bytes.u32(place + 20)), Int(bytes.u32(place + 42)),
    ]
    var extra = place + entryLength + nameLength
    while extra + 4 <= place + entryLength + nameLength + extraLength {
      let (kind, length) = (bytes.u16(extra), Int(bytes.u16(extra + 2)))
      if kind == 1 {
        var field = extra + 4
        for index in sizes.indices where sizes[index] == 0xFFFF_FFFF {
          guard field + 8 <= min(extra + 4 + length, end),
            let wide = Int(exactly: bytes.u64(field))
          else { throw .invalidContainer("the sizes of its record '\(name)' are damaged") }
          sizes[index] = wide
          field += 8
        }
      }
      extra += 4 + length
    }
    let (size, stored, local) = (sizes[0], sizes[1], sizes[2])
    guard size == stored, local <= bytes.byteCount - localLength, bytes.u32(local) == 0x0403_4B50
    else { throw .invalidContainer("its record '\(name)' is damaged") }
    let start = local + localLength + Int(bytes.u16(local + 26)) + Int(bytes.u16(local + 28))
    guard start <= bytes.byteCount, size <= bytes.byteCount - start else {
      throw .invalidContainer("its record '\(name)' extends beyond the file")
    }
    return (name, start..<start + size, next)
  }
}

extension RawSpan {
  func u8(_ place: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: place, as: UInt8.self) }
  func u16(_ place: Int) -> UInt16 {
    UInt16(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: place, as: UInt16.self))
  }
  func u32(_ place: Int) -> UInt32 {
    UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: place, as: UInt32.self))
  }
  func u64(_ place: Int) -> UInt64 {
    UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self))
  }
  func text(_ range: Range<Int>) -> String {
    unsafe extracting(range).withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
  }
}
