import MoECore

/// The tokens of a model and their ids.
struct Vocabulary: Sendable {
  /// The highest id: real vocabularies have fewer than a million tokens.
  static let highestID = 1 << 22

  /// The tokens by id; `nil` for unused ids.
  private(set) var tokens: [String?] = []
  private var table: TokenTable
  /// The number of tokens.
  var count: Int { table.count }

  init(capacity: Int = 0) { table = TokenTable(capacity: capacity) }

  /// Adds a token.
  ///
  /// - Throws: ``TokenizerError/Reason`` if the token or the id already exists; `key` is the path
  ///   of the token.
  mutating func insert(
    _ token: String, id: Int, at key: @autoclosure () -> String
  ) throws(TokenizerError.Reason) {
    if id >= tokens.count {
      tokens.append(contentsOf: repeatElement(nil, count: id + 1 - tokens.count))
    }
    guard tokens[id] == nil else { throw .duplicateID(key: key(), id: id) }
    guard table.insert(Array(token.utf8), id: Int32(id)) == nil else {
      throw .duplicateKey(key: key())
    }
    tokens[id] = token
  }

  /// The id of a token, compared byte by byte.
  func id(of token: String) -> Int32? { table.id(Array(token.utf8)) }

  /// The id of the token with the bytes of a range.
  func id(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int32? { table.id(bytes, range) }

  /// Reads the object that maps tokens to ids.
  init(_ value: JSONValue, at key: String) throws(TokenizerError.Reason) {
    guard case .object(let members) = value else {
      throw .wrongType(key: key, expected: "an object")
    }
    self.init(capacity: members.count)
    tokens.reserveCapacity(members.count)
    for member in members {
      let id = try JSONFields.integer(
        member.value, in: 0...Self.highestID, at: "\(key).\(member.key)")
      try insert(member.key, id: id, at: "\(key).\(member.key)")
    }
  }
}
