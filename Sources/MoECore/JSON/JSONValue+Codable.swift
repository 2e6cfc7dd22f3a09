extension JSONValue: Codable {
  /// Reads any value; the keys of objects come sorted, because decoders do not keep their order.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode(JSONObject.self))
    }
  }

  /// Writes the value.
  ///
  /// - Throws: `EncodingError` for numbers that JSON does not have.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .number(let value):
      if let whole = Int(exactly: value) {
        try container.encode(whole)
      } else {
        try container.encode(value)
      }
    case .string(let value): try container.encode(value)
    case .array(let items): try container.encode(items)
    case .object(let object): try container.encode(object)
    }
  }
}

extension JSONObject: Codable {
  /// Reads an object; the keys come sorted, because decoders do not keep their order.
  public init(from decoder: any Decoder) throws {
    let values = try [String: JSONValue](from: decoder)
    for (key, value) in values.sorted(by: { $0.key < $1.key }) { append(key, value) }
  }

  /// Writes the members, in the order that the encoder chooses.
  ///
  /// - Throws: `EncodingError` for numbers that JSON does not have, and for two keys that differ only in how their
  ///   accents are encoded, of which encoders would lose one.
  public func encode(to encoder: any Encoder) throws {
    let values = Dictionary(map { ($0.key, $0.value) }) { first, _ in first }
    guard values.count == count else {
      throw EncodingError.invalidValue(
        self,
        .init(codingPath: encoder.codingPath, debugDescription: "two keys are the same text"))
    }
    try values.encode(to: encoder)
  }
}
