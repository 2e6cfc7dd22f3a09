/// A JSON value that keeps what general decoders lose: duplicate keys, whole numbers above 2⁵³, and strings that differ
/// only in how their accents are encoded, which Swift's `String` holds to be equal.
package indirect enum JSONValue: Sendable {
  case null
  case boolean(Bool)
  /// A number without fraction and exponent that fits into 64 bits.
  case integer(Int)
  /// Any other number; finite.
  case number(Double)
  case string(String)
  case array([JSONValue])
  /// The members in the order of the file, which may name a key more than once.
  case object([Member])

  /// One entry of an object.
  package struct Member: Sendable {
    /// As the file spells it.
    package let key: String
    /// What the key stands for.
    package let value: JSONValue
  }

  /// Deepest nesting that is read; real files need less than ten levels.
  package static let maximumDepth = 64

  /// Reads a whole document as RFC 8259 defines it.
  ///
  /// - Complexity: O(bytes).
  /// - Throws: ``JSONError`` that says where the text is broken.
  package init(parsing bytes: [UInt8]) throws(JSONError) {
    var parser = JSONParser(bytes)
    self = try parser.document()
  }

  /// Whether two strings have the same code points.
  package static func same(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
  }
}

/// Why bytes are not JSON.
package struct JSONError: Error, Hashable {
  /// Bytes before the place where reading stopped.
  package let offset: Int
  /// What had to stand there.
  package let expected: String

  /// Says where reading stopped.
  package init(offset: Int, expected: String) { (self.offset, self.expected) = (offset, expected) }
}

extension JSONError: CustomStringConvertible {
  /// Where and what was expected.
  package var description: String { "not valid JSON at byte \(offset): expected \(expected)" }
}
