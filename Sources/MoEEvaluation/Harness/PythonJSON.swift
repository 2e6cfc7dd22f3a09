import MoECore

/// JSON as Python's `json.dumps(value, indent=2, ensure_ascii=False)` writes it, of which the harness takes hashes.
enum PythonJSON {
  static func indented(_ value: JSONValue, depth: Int = 0) -> String {
    let (outer, inner) = (
      String(repeating: "  ", count: depth), String(repeating: "  ", count: depth + 1)
    )
    func lines(_ open: String, _ parts: [String], _ close: String) -> String {
      parts.isEmpty
        ? open + close
        : open + "\n" + parts.map { inner + $0 }.joined(separator: ",\n") + "\n" + outer + close
    }
    switch value {
    case .null: return "null"
    case .bool(let value): return value ? "true" : "false"
    case .number(let value): return Int(exactly: value).map(String.init) ?? "\(value)"
    case .string(let text): return text.jsonQuoted
    case .array(let items):
      return lines("[", items.map { indented($0, depth: depth + 1) }, "]")
    case .object(let members):
      return lines(
        "{", members.map { "\($0.key.jsonQuoted): \(indented($0.value, depth: depth + 1))" }, "}")
    }
  }
}
