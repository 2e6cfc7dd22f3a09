import MoECore

extension GGUFMetadata {
  /// Sets the keys of rotary positions.
  mutating func setPositions() throws(GGUFError) {
    // The format's default, which older files rely on.
    let base = try optionalPositive("rope.freq_base") ?? 10_000
    var parameters: JSONObject = [
      "rope_theta": .number(base), "rope_type": .string("default"),
    ]
    if let factor = try linearFactor() {
      parameters["rope_type"] = .string("linear")
      parameters["factor"] = .number(factor)
    }
    set("rope_theta", .number(base))
    set("rope_parameters", .object(parameters))
  }

  /// The factor of linear scaling, which llama.cpp assumes where no type is named; older files have
  /// it under another key.
  private mutating func linearFactor() throws(GGUFError) -> Double? {
    let name = "rope.scaling.type"
    let (newer, older) = ("rope.scaling.factor", "rope.scale_linear")
    let factor = try positiveUnlessZero(has(newer) ? newer : older)
    switch try optionalText(name) {
    case "none": return nil
    case nil, "linear": return factor
    default: throw file.invalid(key(name), "'none' or 'linear'")
    }
  }
}
