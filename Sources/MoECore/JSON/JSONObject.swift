/// The members of a JSON object, in the order of the file or in which they were added.
///
/// Keys are compared by their UTF-8 bytes, so that two that Swift's `String` holds to be equal, because they differ only
/// in how their accents are encoded, stay apart. A key occurs once. Two objects with the same members in different
/// orders are equal.
///
/// Finding a key takes O(members): configurations have few, and vocabularies are read from first to last.
public struct JSONObject: Sendable {
  /// A key and its value.
  public typealias Element = (key: String, value: JSONValue)

  private var members: [Element] = []

  /// Makes an object without members.
  public init() {}

  /// The number of members.
  public var count: Int { members.count }
  /// Whether there are no members.
  public var isEmpty: Bool { members.isEmpty }
  /// The keys in order.
  public var keys: [String] { members.map { $0.key } }

  /// The value of a key, or `nil` when there is none; setting `nil` removes the key, and new keys come last.
  public subscript(key: String) -> JSONValue? {
    get { place(of: key).map { members[$0].value } }
    set {
      switch (place(of: key), newValue) {
      case (let place?, let value?): members[place].value = value
      case (let place?, nil): members.remove(at: place)
      case (nil, let value?): members.append((key, value))
      case (nil, nil): break
      }
    }
  }

  private func place(of key: String) -> Int? {
    members.firstIndex { JSONValue.same($0.key, key) }
  }

  /// Adds a member at the end in O(1), without looking whether its key is there.
  mutating func append(_ key: String, _ value: JSONValue) { members.append((key, value)) }

  /// A key that was appended twice.
  var repeatedKey: String? { RepeatedKey.find(in: members) }
}

extension JSONObject: Sequence {
  /// Goes through the members in order.
  public func makeIterator() -> IndexingIterator<[Element]> { members.makeIterator() }

  /// The number of members.
  public var underestimatedCount: Int { count }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  /// Makes an object of members in the order of the text.
  ///
  /// - Precondition: No key occurs twice.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    for (key, value) in elements { append(key, value) }
    precondition(repeatedKey == nil, "a key is there twice")
  }
}

extension JSONObject {
  /// Adds the members of another object.
  ///
  /// - Parameters:
  ///   - other: The members to add.
  ///   - combine: Chooses from this object's and the other's value of a key that both have.
  public mutating func merge(
    _ other: JSONObject, uniquingKeysWith combine: (JSONValue, JSONValue) -> JSONValue
  ) {
    for (key, value) in other { self[key] = self[key].map { combine($0, value) } ?? value }
  }

  /// This object with the members of another; see ``merge(_:uniquingKeysWith:)``.
  public func merging(
    _ other: JSONObject, uniquingKeysWith combine: (JSONValue, JSONValue) -> JSONValue
  ) -> JSONObject {
    var result = self
    result.merge(other, uniquingKeysWith: combine)
    return result
  }

  /// The members for which a condition holds.
  public func filter(_ isIncluded: (Element) -> Bool) -> JSONObject {
    var result = self
    result.members.removeAll { !isIncluded($0) }
    return result
  }
}

extension JSONObject: Hashable {
  /// Members in the order of their keys' bytes, which is the same for equal objects.
  private var sorted: [Element] {
    members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
  }

  /// Whether both have the same members, in any order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    left.count == right.count
      && zip(left.sorted, right.sorted).allSatisfy {
        JSONValue.same($0.key, $1.key) && $0.value == $1.value
      }
  }

  /// Hashes the members regardless of their order.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(count)
    for (key, value) in sorted {
      hasher.combine(key)
      hasher.combine(value)
    }
  }
}
