import MoECore

extension ModelSummary {
  /// The summary as text, line by line.
  public var text: String {
    let head = [
      Fact(name: "family", value: family),
      Fact(name: "parameters", value: NumberText.amount(parameters) + activeText),
    ]
    let types = bytesByType.sorted { $0.key < $1.key }
      .map { "\($0.key) \(ByteCount($0.value))" }.joined(separator: ", ")
    let shares = modules.map { ModuleShare.text($0).map { Fact(name: $0.name, value: $0.value) } }
    let rows = head + facts + [Fact(name: "weights", value: types)] + (shares ?? []) + tokenizer
    return (rows + warnings.map { Fact(name: "warning", value: $0) }).map(line)
      .joined(separator: "\n")
  }

  private func line(_ row: Fact) -> String {
    let width = decoder == nil ? 14 : 13
    return row.name + String(repeating: " ", count: max(1, width - row.name.count)) + row.value
  }

  private var activeText: String {
    let active = NumberText.amount(activeParameters)
    if decoder != nil { return ", \(active) active per token" }
    return activeParameters == parameters ? "" : ", \(active) active at a time"
  }

  private var facts: [Fact] {
    switch details {
    case .decoder(let decoder): decoder.facts
    case .facts(let facts): facts
    }
  }

  private var tokenizer: [Fact] {
    guard let decoder else { return [] }
    let text = decoder.tokenizerSize.map { "\($0) tokens" } ?? "none"
    return [Fact(name: "tokenizer", value: text)]
  }
}
