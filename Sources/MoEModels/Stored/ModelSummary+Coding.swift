extension ModelSummary: Codable {
  private enum CodingKeys: String, CodingKey {
    case family, parameters, activeParameters, facts, bytesByType, bytes, modules, warnings
  }

  /// Reads a summary from one JSON object.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    family = try values.decode(String.self, forKey: .family)
    parameters = try values.decode(Int.self, forKey: .parameters)
    activeParameters = try values.decode(Int.self, forKey: .activeParameters)
    bytesByType = try values.decode([String: Int].self, forKey: .bytesByType)
    modules = try values.decodeIfPresent([ModuleShare].self, forKey: .modules)
    warnings = try values.decode([String].self, forKey: .warnings)
    let facts = try values.decodeIfPresent([Fact].self, forKey: .facts)
    details = try facts.map(Details.facts) ?? .decoder(DecoderDetails(from: decoder))
  }

  /// Writes one object: the properties of every kind of model, and the details.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(family, forKey: .family)
    try values.encode(parameters, forKey: .parameters)
    try values.encode(activeParameters, forKey: .activeParameters)
    try values.encode(bytesByType, forKey: .bytesByType)
    try values.encodeIfPresent(modules, forKey: .modules)
    try values.encode(warnings, forKey: .warnings)
    switch details {
    case .facts(let facts): try values.encode(facts, forKey: .facts)
    case .decoder(let details):
      try values.encode(bytes, forKey: .bytes)
      try details.encode(to: encoder)
    }
  }
}
