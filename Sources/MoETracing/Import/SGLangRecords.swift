import MoECore
import SystemPackage

extension TraceImporter {
  /// SGLang's expert distribution recorder, mode per_token: `.pt`.
  public static let sglang = TraceImporter(
    "sglang", help: ".pt of SGLang's expert distribution recorder, mode per_token",
    recognises: { ["pt", "pth"].contains($0.extension) },
    convert: { request, target in try request.write(SGLangRecords(request.path), to: target) })
}

/// A dump of SGLang's expert distribution recorder.
///
/// Per token: `{"records": [{"input_ids", "positions", "topk_ids_of_layer": [layers, tokens, k],
/// …}], "last_physical_to_logical_map": [layers, physical experts]}`, where ids refer to physical
/// experts and -1 is unused. Aggregated: `{"logical_count": [steps, layers, experts], …}`.
struct SGLangRecords: TraceImport.StepSource {
  private let file: PyTorchFile

  init(_ path: FilePath) throws { file = try PyTorchFile(path) }

  private func problem(_ text: String) -> TracingError { .invalidFile(file.path, text) }

  /// Reads the passes of a per-token dump; its tensors are read from the file one pass at a time.
  func forEachStep(_ body: (TraceImport.Step) throws -> Void) throws {
    guard let records = file.value["records"]?.elements else {
      throw problem(
        file.value["logical_count"] == nil
          ? "it has no 'records'; expected a dump of SGLang's expert distribution recorder"
          : "it holds counts, not choices (mode stat); inspect it directly, or record in mode per_token"
      )
    }
    let map = try file.value["last_physical_to_logical_map"]?.tensor.map { tensor in
      guard tensor.shape.count == 2 else {
        throw problem("'last_physical_to_logical_map' has shape \(tensor.shape)")
      }
      return (width: tensor.shape[1], ids: try file.integers(of: tensor))
    }
    for record in records {
      try body(try step(record, map))
      file.discardPages()
    }
  }

  private func step(
    _ record: PickleValue, _ map: (width: Int, ids: [Int])?
  ) throws -> TraceImport.Step {
    guard let tensor = record["topk_ids_of_layer"]?.tensor, tensor.shape.count == 3,
      tensor.shape[2] > 0
    else { throw problem("a record has no tensor 'topk_ids_of_layer' [layers, tokens, k]") }
    let (layers, tokens, k) = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
    let ids = try file.integers(of: tensor)
    let result = try (0..<layers).compactMap { layer -> (layer: Int, experts: [Int])? in
      let part = ids[layer * tokens * k..<(layer + 1) * tokens * k]
      // Dense layers record nothing.
      guard part.contains(where: { $0 != -1 }) else { return nil }
      return (layer, try part.map { try logical($0, layer, map) })
    }
    let positions = try numbers(record["positions"])
    let starts = positions.map { $0.indices.filter { place in positions?[place] == 0 } } ?? [0]
    let inputs = try numbers(record["input_ids"])
    guard inputs == nil || inputs?.count == tokens, positions == nil || positions?.count == tokens
    else { throw problem("a record's 'input_ids' or 'positions' are not one per token") }
    return TraceImport.Step(
      layers: result, k: k, tokens: inputs?.map { Int32(truncatingIfNeeded: $0) }, starts: starts)
  }

  private func logical(
    _ id: Int, _ layer: Int, _ map: (width: Int, ids: [Int])?
  ) throws -> Int {
    guard id != -1, let map else { return id }
    guard 0..<map.width ~= id, map.ids.indices.contains(layer * map.width + id) else {
      throw problem("expert \(id) of layer \(layer) is not in 'last_physical_to_logical_map'")
    }
    return map.ids[layer * map.width + id]
  }

  private func numbers(_ value: PickleValue?) throws -> [Int]? {
    if let tensor = value?.tensor { return try file.integers(of: tensor) }
    return value?.elements?.compactMap(\.integer)
  }

  /// The loads of an aggregated dump, summed over steps: `[layers][experts]`; `nil` for other
  /// dumps.
  var loads: [[Int]]? {
    get throws {
      guard let tensor = file.value["logical_count"]?.tensor else { return nil }
      guard (2...3).contains(tensor.shape.count) else {
        throw problem(
          "'logical_count' has shape \(tensor.shape); expected [steps, layers, experts]")
      }
      let (layers, experts) = (
        tensor.shape[tensor.shape.count - 2], tensor.shape[tensor.shape.count - 1]
      )
      let numbers = try file.integers(of: tensor)
      var result = [[Int]](repeating: [Int](repeating: 0, count: experts), count: layers)
      for (place, number) in numbers.enumerated() {
        result[place / experts % layers][place % experts] += number
      }
      return result
    }
  }
}
