import MoECore
import SystemPackage

extension TraceImporter {
  /// Records of GPT-OSS's routers while a text is generated.
  public static let gptoss = TraceImporter(
    "gptoss", help: ".json with 'router_data', as recorded of GPT-OSS", joinsFiles: true,
    recognises: { path in
      guard path.extension == "json", try TextStart(path).record == nil else { return false }
      return try ForeignFile(path)?.use == .importing
    },
    convert: { request, target in try request.write(GPTOSSRecords(request.paths), to: target) })
}

/// Generated texts with the routers' choices: `{"router_data": [{"token_103": {"layer_0": {"selected_experts": […],
/// "selected_probs": […]}, …}}, …], …}`, a file per text or a list of them.
///
/// All tokens are generated; those of the prompt are not recorded.
struct GPTOSSRecords: TraceImport.StepSource {
  private let paths: [FilePath]

  init(_ paths: [FilePath]) throws { self.paths = paths }

  func forEachStep(_ body: (TraceImport.Step) throws -> Void) throws {
    for path in paths {
      let bytes = try MappedFile(path).copied(upTo: FileLimit.json)
      let value: JSONValue
      do { value = try JSONValue(parsing: bytes) } catch {
        throw TracingError.invalidFile(path, "it is not JSON: the file is \(error)")
      }
      let texts: [JSONValue] = if case .array(let items) = value { items } else { [value] }
      for text in texts { try body(try step(text, path)) }
    }
  }

  private func step(_ text: JSONValue, _ path: FilePath) throws -> TraceImport.Step {
    guard case .object(let object) = text, case .array(let entries)? = object["router_data"],
      !entries.isEmpty
    else {
      throw TracingError.invalidFile(path, "it has no list 'router_data' with a token per entry")
    }
    let tokens = try entries.enumerated().map { try token($1, path, entry: $0) }
    let layers = Set(tokens.flatMap(\.keys)).sorted()
    let k = tokens.flatMap { $0.values.map(\.experts.count) }.max() ?? 1
    func padded<Element>(_ items: [Element], _ filler: Element) -> [Element] {
      items + Array(repeating: filler, count: k - items.count)
    }
    let hasWeights = tokens.allSatisfy { $0.values.allSatisfy { $0.weights != nil } }
    return TraceImport.Step(
      layers: layers.map { layer in
        (layer, tokens.flatMap { padded($0[layer]?.experts ?? [], -1) })
      }, k: k, starts: [0],
      weights: hasWeights
        ? layers.map { layer in tokens.flatMap { padded($0[layer]?.weights ?? [], 0) } } : nil,
      promptLengths: [0])
  }

  /// The choices of a token by layer.
  private func token(
    _ entry: JSONValue, _ path: FilePath, entry index: Int
  ) throws -> [Int: (experts: [Int], weights: [Double]?)] {
    guard case .object(let named) = entry, let only = named.first(where: { _ in true }),
      named.count == 1, case .object(let layers) = only.value
    else {
      throw TracingError.invalidFile(
        path, "router_data[\(index)] is not {\"token_…\": {\"layer_…\": …}}")
    }
    var result: [Int: (experts: [Int], weights: [Double]?)] = [:]
    for (key, value) in layers {
      guard let layer = Int(key.dropFirst("layer_".count)), key.hasPrefix("layer_"),
        0..<1 << 20 ~= layer, case .object(let choice) = value,
        let numbers = Self.numbers(choice["selected_experts"]), !numbers.isEmpty
      else {
        throw TracingError.invalidFile(
          path, "router_data[\(index)].\(key) has no list 'selected_experts'")
      }
      let experts = try numbers.map { number in
        guard let id = Int(exactly: number), ExpertID.slot(id) != nil else {
          let raw = Int(exactly: number).map { "\($0)" } ?? "\(number)"
          throw TracingError.invalidFile(
            path, ExpertID.problem(raw, "token \(index) of 'router_data'", layer: layer))
        }
        return id
      }
      let weights = Self.numbers(choice["selected_probs"])
      guard weights?.count ?? experts.count == experts.count else {
        throw TracingError.invalidFile(
          path, "router_data[\(index)].\(key) has not as many 'selected_probs' as experts")
      }
      result[layer] = (experts, weights)
    }
    return result
  }

  private static func numbers(_ value: JSONValue?) -> [Double]? {
    guard case .array(let items)? = value else { return nil }
    let numbers = items.compactMap { if case .number(let number) = $0 { number } else { nil } }
    return numbers.count == items.count ? numbers : nil
  }
}
