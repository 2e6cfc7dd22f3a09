/// Reads the subset of YAML that TensorRT-LLM's load-balancer files use: keys with numbers or lists
/// of numbers.
struct AssignmentYAML {
  private(set) var slots: Int?
  private(set) var rows: [(layer: Int, experts: [Int])] = []
  private var isInside = false
  /// A list that continues on the next line.
  private var open: String?

  mutating func read(_ line: Substring, number: Int) throws {
    let text = line.prefix { $0 != "#" }
    let trimmed = String(text.drop { $0 == " " }.reversed().drop { $0.isWhitespace }.reversed())
    guard !trimmed.isEmpty, trimmed != "---" else { return }
    guard !line.contains("\t") else {
      throw PlanRefusal("line \(number) is indented with tabs, which YAML forbids")
    }
    if let begun = open {
      try readList(begun + " " + trimmed, number)
    } else if text.first != " " {
      try readKey(trimmed, number)
    } else if isInside {
      try readRow(trimmed, number)
    }
  }

  func finish() throws {
    guard open == nil else { throw PlanRefusal("the last list has no end") }
    guard !rows.isEmpty else {
      throw PlanRefusal(
        "'initial_global_assignments' is missing or empty; expected a list per layer")
    }
  }

  private mutating func readKey(_ line: String, _ number: Int) throws {
    let (key, value) = Self.split(line)
    isInside = key == "initial_global_assignments"
    if key == "num_slots" {
      guard let value, let count = Int(value), count >= 1, slots == nil else {
        throw PlanRefusal("line \(number): 'num_slots' must be an integer above 0 and occur once")
      }
      slots = count
    }
    if isInside, let value, !value.isEmpty {
      throw PlanRefusal(
        "line \(number): expected one line per layer below 'initial_global_assignments:'")
    }
  }

  private mutating func readRow(_ line: String, _ number: Int) throws {
    if line.hasPrefix("- ") {
      guard !rows.isEmpty, let expert = Int(line.dropFirst(2).filter { $0 != " " }) else {
        throw PlanRefusal("line \(number) is '\(line.prefix(40))'; expected an expert")
      }
      rows[rows.count - 1].experts.append(expert)
      return
    }
    let (key, value) = Self.split(line)
    guard let layer = Int(key), layer >= 0, !rows.contains(where: { $0.layer == layer }) else {
      throw PlanRefusal("line \(number) is '\(line.prefix(40))'; expected a new layer's number")
    }
    rows.append((layer, []))
    if let value, !value.isEmpty { try readList(value, number) }
  }

  private mutating func readList(_ text: String, _ number: Int) throws {
    guard text.first == "[" else {
      throw PlanRefusal("line \(number): expected a list '[…]' of experts")
    }
    guard text.last == "]" else {
      open = text
      return
    }
    open = nil
    var experts: [Int] = []
    for field in text.dropFirst().dropLast().split(separator: ",") {
      guard let expert = Int(field.filter { $0 != " " }) else {
        throw PlanRefusal("line \(number): '\(field.prefix(20))' is not an expert")
      }
      experts.append(expert)
    }
    rows[rows.count - 1].experts = experts
  }

  private static func split(_ line: String) -> (key: String, value: String?) {
    guard let colon = line.firstIndex(of: ":") else { return (line, nil) }
    let value = line[line.index(after: colon)...].drop { $0 == " " }
    return (line[..<colon].filter { $0 != "\"" && $0 != "'" && $0 != " " }, String(value))
  }
}
