import MoECore
import SystemPackage

/// Counts in JSON, of which there are many forms.
///
/// | form | of |
/// |---|---|
/// | `[[…], …]` | anything: a row per layer |
/// | `{"0": […], …}`, `{"0": {"5": …}, …}` | anything: a row, or experts, by layer |
/// | `{"logical_count": …}` | SGLang: `[layers][experts]`, or that for each step |
/// | `{"weight": [[…], …], …}` | EPLB's example: loads |
/// | `{"0-5": [weight, count, mean], …}` | CD-MoE: by layer and expert |
/// | `{"token_scores": {"1": {"0": …}}, …}` | ESFT: fractions by layer and expert |
struct CountJSON {
  private let path: FilePath
  private let value: JSONValue

  init(_ path: FilePath) throws {
    self.path = path
    let bytes = try MappedFile(path).copied(upTo: FileLimit.json)
    do { value = try JSONValue(parsing: bytes) } catch {
      throw TracingError.invalidFile(path, "it is not JSON: the file is \(error)")
    }
  }

  func table() throws -> CountTableFile {
    switch value {
    case .array: return try matrix(value, "its rows")
    case .object(let object):
      if let count = object["logical_count"] { return try steps(count) }
      if object["phy2log"] != nil || object["num_replicas"] != nil, let weight = object["weight"] {
        return try matrix(weight, "'weight'")
      }
      if let scores = object["token_scores"] { return try fractions(scores) }
      guard let table = pairs(object) ?? layers(object) else {
        throw CountMatrix.notCounts(path)
      }
      return table
    default: throw CountMatrix.notCounts(path)
    }
  }

  private func matrix(_ value: JSONValue, _ name: String) throws -> CountTableFile {
    guard case .array(let items) = value, let first = items.first.flatMap(Self.numbers) else {
      throw CountMatrix.notCounts(path)
    }
    let rows = items.compactMap(Self.numbers)
    guard rows.count == items.count, rows.allSatisfy({ $0.count == first.count }) else {
      throw TracingError.invalidFile(
        path, "\(name) differ in length; expected [layers][experts]")
    }
    return CountTableFile(rows: rows)
  }

  /// Counts of layers, or of steps and layers, which are added.
  private func steps(_ value: JSONValue) throws -> CountTableFile {
    guard case .array(let items) = value, case .array(let inner)? = items.first,
      case .array? = inner.first
    else { return try matrix(value, "the rows of 'logical_count'") }
    var result: CountTableFile?
    for item in items {
      let step = try matrix(item, "the rows of 'logical_count'")
      guard
        result == nil || result?.rows.count == step.rows.count && result?.experts == step.experts
      else {
        throw TracingError.invalidFile(path, "the steps of 'logical_count' differ in shape")
      }
      result?.add(step)
      result = result ?? step
    }
    return result ?? CountTableFile(rows: [])
  }

  /// ESFT's fractions, which add up to 1 in each layer.
  private func fractions(_ value: JSONValue) throws -> CountTableFile {
    guard case .object(let object) = value, let table = layers(object),
      table.rows.values.allSatisfy({ abs($0.values.reduce(0, +) - 1) < 0.02 })
    else {
      throw TracingError.invalidFile(
        path,
        "it seems to be a summary of ESFT's expert scores, but 'token_scores' do not add up to 1 in each layer"
      )
    }
    return table
  }

  /// CD-MoE's entries: a layer and an expert as the key; the sum of weights, the count and their ratio.
  private func pairs(_ object: JSONObject) -> CountTableFile? {
    var table = CountTableFile(namesAllExperts: false)
    for (key, value) in object {
      let parts = key.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard parts.count == 2, let layer = Self.index(parts[0]), let expert = Self.index(parts[1]),
        let numbers = Self.numbers(value), numbers.count == 3, numbers[1] >= 0,
        abs(numbers[0] - numbers[1] * numbers[2]) <= 1e-3 * max(1, abs(numbers[0]))
      else { return nil }
      table.rows[layer, default: [:]][expert] = numbers[1]
    }
    return object.isEmpty ? nil : table
  }

  private func layers(_ object: JSONObject) -> CountTableFile? {
    guard !object.isEmpty else { return nil }
    var table = CountTableFile(namesAllExperts: true)
    for (key, value) in object {
      guard let layer = Self.index(Int(key.hasPrefix("layer_") ? key.dropFirst(6) : key[...])),
        let row = Self.row(value)
      else { return nil }
      if case .object = value { table.namesAllExperts = false }
      table.rows[layer] = row
    }
    return Self.isRectangular(object) ? table : nil
  }

  private static func isRectangular(_ object: JSONObject) -> Bool {
    let lengths = Set(
      object.compactMap { entry -> Int? in
        if case .array(let items) = entry.value { items.count } else { nil }
      })
    return lengths.count <= 1
  }

  private static func row(_ value: JSONValue) -> [Int: Double]? {
    if let numbers = numbers(value) {
      return Dictionary(uniqueKeysWithValues: numbers.enumerated().map { ($0, $1) })
    }
    guard case .object(let object) = value else { return nil }
    var row: [Int: Double] = [:]
    for (key, value) in object {
      guard let expert = index(Int(key)), case .number(let number) = value else { return nil }
      row[expert] = number
    }
    return row
  }

  private static func index(_ number: Int?) -> Int? {
    number.flatMap { 0..<RoutingTraceHeader.expertLimit ~= $0 ? $0 : nil }
  }

  private static func numbers(_ value: JSONValue) -> [Double]? {
    guard case .array(let items) = value, !items.isEmpty else { return nil }
    var result: [Double] = []
    for item in items {
      guard case .number(let number) = item else { return nil }
      result.append(number)
    }
    return result
  }
}
