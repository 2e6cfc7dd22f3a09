package import MoECore

/// Bytes with up to three random changes: bits, bytes, parts removed or repeated, and ends cut off.
///
/// - Parameters:
///   - original: The bytes.
///   - interesting: Bytes that the format gives a meaning.
///   - generator: The random numbers.
/// - Returns: The changed bytes, maybe none.
package func mutated(
  _ original: [UInt8], with interesting: [UInt8], using generator: inout SeededGenerator
) -> [UInt8] {
  var bytes = original
  for _ in 0..<Int.random(in: 1...3, using: &generator) {
    guard !bytes.isEmpty else { return bytes }
    let place = Int.random(in: 0..<bytes.count, using: &generator)
    let length = Int.random(in: 1...8, using: &generator)
    let range = place..<min(place + length, bytes.count)
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes[place] = UInt8.random(in: 0...255, using: &generator)
    case 2: bytes[place] = interesting.randomElement(using: &generator) ?? 0
    case 3: bytes.removeSubrange(range)
    case 4: bytes.insert(contentsOf: bytes[range], at: place)
    default: bytes.removeLast(Int.random(in: 0...min(20, bytes.count), using: &generator))
    }
  }
  return bytes
}

/// Bytes that JSON gives a meaning, and some that it does not allow.
package let jsonBytes = Array(#"{}[]":,0123456789-.eE\u "#.utf8) + [0, 0x7F, 0x80, 0xC0, 0xFF]
