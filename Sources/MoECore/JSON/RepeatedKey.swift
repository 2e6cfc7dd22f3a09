/// Finds a key that stands in an object twice.
///
/// Vocabularies have hundreds of thousands of keys: a `Set` of their bytes would copy each, and one of strings would
/// hold some to be equal that are not.
enum RepeatedKey {
  static func find(in members: [JSONObject.Element]) -> String? {
    members.count <= 8 ? findInFew(members) : findInMany(members)
  }

  private static func findInFew(_ members: [JSONObject.Element]) -> String? {
    for (place, member) in members.enumerated() {
      for earlier in members[..<place] where JSONValue.same(earlier.key, member.key) {
        return member.key
      }
    }
    return nil
  }

  /// Enters all keys into an open hash table that stays at most half full.
  private static func findInMany(_ members: [JSONObject.Element]) -> String? {
    let mask = 1 << (Int.bitWidth - (2 * members.count - 1).leadingZeroBitCount) - 1
    var table = [Int32](repeating: -1, count: mask + 1)
    var hashes: [Int] = []
    hashes.reserveCapacity(members.count)
    for (place, member) in members.enumerated() {
      let hash = hash(member.key)
      var slot = hash & mask
      while table[slot] >= 0 {
        let earlier = Int(table[slot])
        if hashes[earlier] == hash, JSONValue.same(members[earlier].key, member.key) {
          return member.key
        }
        slot = (slot + 1) & mask
      }
      table[slot] = Int32(place)
      hashes.append(hash)
    }
    return nil
  }

  /// Hashes the bytes of a key, eight at a time, where a string would normalize them first.
  ///
  /// The seed is random, so that no file can be made of keys that collide.
  private static func hash(_ key: String) -> Int {
    var hasher = Hasher()
    var (word, count) = (UInt64(0), 0)
    for byte in key.utf8 {
      word = word << 8 | UInt64(byte)
      count += 1
      if count.isMultiple(of: 8) { hasher.combine(word) }
    }
    hasher.combine(word)
    hasher.combine(count)
    return hasher.finalize()
  }
}
