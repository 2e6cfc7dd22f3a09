/// A small random number generator whose output depends only on its seed, on every machine.
///
/// The algorithm is xoshiro256**, seeded through SplitMix64 so that neighbouring seeds give
/// unrelated sequences. Not for cryptography.
///
/// - SeeAlso: Blackman and Vigna 2021, *Scrambled Linear Pseudorandom Number Generators*,
///   [arXiv:1805.01407](https://arxiv.org/abs/1805.01407).
public struct SeededGenerator: RandomNumberGenerator, Hashable, Codable, Sendable {
  private var state: [UInt64]

  /// Starts the sequence of `seed`.
  public init(seed: UInt64) {
    var mixer = seed
    state = (0..<4).map { _ in
      mixer &+= 0x9E37_79B9_7F4A_7C15
      var word = mixer
      word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
      return word ^ (word >> 31)
    }
  }

  /// Restores an encoded state.
  ///
  /// - Throws: A decoding error unless there are four words that are not all 0.
  public init(from decoder: any Decoder) throws {
    state = try decoder.singleValueContainer().decode([UInt64].self)
    guard state.count == 4, state.contains(where: { $0 != 0 }) else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: decoder.codingPath,
          debugDescription: "a random state needs four words that are not all 0"))
    }
  }

  /// Encodes the state as four words.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(state)
  }

  /// The next 64 bits of the sequence.
  public mutating func next() -> UInt64 {
    let product = state[1] &* 5
    let result = ((product << 7) | (product >> 57)) &* 9
    let shifted = state[1] << 17
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = (state[3] << 45) | (state[3] >> 19)
    return result
  }
}
