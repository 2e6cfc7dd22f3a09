extension PickleMachine {
  mutating func byte() throws(PickleError.Reason) -> UInt8 {
    guard place < bytes.count else { throw broken("it ends in the middle") }
    place += 1
    return bytes[place - 1]
  }

  mutating func raw(_ count: Int) throws(PickleError.Reason) -> [UInt8] {
    guard count >= 0, count <= bytes.count - place else { throw broken("it ends in the middle") }
    place += count
    return Array(bytes[place - count..<place])
  }

  mutating func unsigned(_ size: Int) throws(PickleError.Reason) -> Int {
    let part = try raw(size)
    let number = part.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) }
    guard let result = Int(exactly: number) else { throw .tooLarge("a length is \(number)") }
    return result
  }

  /// An integer of `size` bytes; only named if it has more than 64 bits.
  mutating func integer(_ size: Int) throws(PickleError.Reason) -> PickleValue {
    let part = try raw(size)
    guard part.count <= 8 else { return .opaque("an integer of \(part.count) bytes") }
    guard let last = part.last else { return .integer(0) }
    var number: UInt64 = last >= 0x80 ? .max : 0
    for byte in part.reversed() { number = number << 8 | UInt64(byte) }
    return .integer(Int(bitPattern: UInt(number)))
  }

  mutating func double() throws(PickleError.Reason) -> Double {
    Double(bitPattern: try raw(8).reduce(0) { $0 << 8 | UInt64($1) })
  }

  mutating func text(_ count: Int) throws(PickleError.Reason) -> String {
    guard let text = String(validating: try raw(count), as: UTF8.self) else {
      throw broken("a text is not UTF-8")
    }
    return text
  }

  mutating func line() throws(PickleError.Reason) -> String {
    guard let end = bytes[place...].firstIndex(of: 0x0A), end - place < 1024 else {
      throw broken("a name without end")
    }
    defer { place = end + 1 }
    return String(decoding: bytes[place..<end], as: UTF8.self)
  }
}
