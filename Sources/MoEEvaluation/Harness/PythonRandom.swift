import Foundation

/// The random numbers of Python's `random.Random`, by which the harness draws examples.
///
/// - SeeAlso: Matsumoto and Nishimura 1998, *Mersenne Twister*; CPython's
///   [`random.sample`](https://docs.python.org/3/library/random.html#random.sample).
struct PythonRandom {
  private static let size = 624
  private var state = [UInt32](repeating: 0, count: size)
  private var place = size

  /// As `Random(seed)` for a whole number from 0 on.
  init(seed: UInt64) {
    var key = [UInt32(truncatingIfNeeded: seed)]
    if seed >> 32 != 0 { key.append(UInt32(truncatingIfNeeded: seed >> 32)) }
    state[0] = 19_650_218
    for i in 1..<Self.size {
      state[i] = 1_812_433_253 &* (state[i - 1] ^ (state[i - 1] >> 30)) &+ UInt32(i)
    }
    var (i, j) = (1, 0)
    for _ in 0..<max(Self.size, key.count) {
      let mixed = (state[i - 1] ^ (state[i - 1] >> 30)) &* 1_664_525
      state[i] = (state[i] ^ mixed) &+ key[j] &+ UInt32(j)
      advance(&i)
      j = (j + 1) % key.count
    }
    for _ in 1..<Self.size {
      let mixed = (state[i - 1] ^ (state[i - 1] >> 30)) &* 1_566_083_941
      state[i] = (state[i] ^ mixed) &- UInt32(i)
      advance(&i)
    }
    state[0] = 0x8000_0000
  }

  private mutating func advance(_ i: inout Int) {
    i += 1
    if i == Self.size {
      state[0] = state[Self.size - 1]
      i = 1
    }
  }

  /// The next 32 bits.
  private mutating func next() -> UInt32 {
    if place == Self.size {
      for k in 0..<Self.size {
        let y = (state[k] & 0x8000_0000) | (state[(k + 1) % Self.size] & 0x7FFF_FFFF)
        state[k] = state[(k + 397) % Self.size] ^ (y >> 1) ^ (y & 1 == 0 ? 0 : 0x9908_B0DF)
      }
      place = 0
    }
    var y = state[place]
    place += 1
    y ^= y >> 11
    y ^= (y << 7) & 0x9D2C_5680
    y ^= (y << 15) & 0xEFC6_0000
    return y ^ (y >> 18)
  }

  /// A whole number in `0..<bound`, below 2³².
  private mutating func below(_ bound: Int) -> Int {
    let bits = Int.bitWidth - bound.leadingZeroBitCount
    while true {
      let drawn = Int(next() >> UInt32(32 - bits))
      if drawn < bound { return drawn }
    }
  }

  /// `sample(range(count), k)`: different places, in the order of drawing.
  ///
  /// - Precondition: `k` is at most `count`, which is below 2³².
  /// - Complexity: O(count) or O(k), as Python chooses.
  mutating func sample(_ k: Int, of count: Int) -> [Int] {
    precondition(0...count ~= k && count < 1 << 32, "\(k) of \(count)")
    // From here on a set of what was drawn is smaller than a list of all.
    let setSize = 21 + (k > 5 ? Int(pow(4, (log(Double(k * 3)) / log(4)).rounded(.up))) : 0)
    guard count > setSize else {
      var pool = Array(0..<count)
      return (0..<k).map { i in
        let j = below(count - i)
        defer { pool[j] = pool[count - i - 1] }
        return pool[j]
      }
    }
    var drawn: Set<Int> = []
    return (0..<k).map { _ in
      var j = below(count)
      while !drawn.insert(j).inserted { j = below(count) }
      return j
    }
  }
}
