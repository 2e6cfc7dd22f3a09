import MoECore
import SystemPackage

extension TraceImporter {
  /// SGLang's expert distribution recorder, mode per_token: `.pt`.
  public static let sglang = TraceImporter(
    "sglang", help: ".pt of SGLang's expert distribution recorder, mode per_token",
    joinsFiles: true, recognises: { ["pt", "pth"].contains($0.extension) },
    convert: { request, target in
      try request.write(SGLangRecords(request.paths), to: target)
    })
}

/// Per-token dumps of SGLang's expert distribution recorder, one per rank.
///
/// `{"records": [{"input_ids", "positions", "extend_seq_lens", "forward_mode", "topk_ids_of_layer": [layers, tokens, k],
/// …}], "last_physical_to_logical_map": [layers, physical experts]}`, where ids refer to physical experts and -1 is
/// unused. A record is a pass over tokens of several requests, which are put back into their sequences: all choices are
/// held in memory, two bytes each.
struct SGLangRecords: TraceImport.StepSource {
  /// No request has as many tokens.
  private static let positionLimit = 1 << 31

  private let files: [File]
  /// The number of logical experts, from the map.
  let experts: Int?

  /// The passes of one file.
  private struct File {
    var passes: [Pass] = []
    var sequences = RequestSequences()
    /// Logical experts.
    var experts: Int?
  }

  /// The choices of a pass, `[layers, tokens, k]`.
  private struct Pass {
    var layers: Int
    var tokens: Int
    var k: Int
    var choices: [UInt16]
    var ids: [Int]?
  }

  /// Reads dumps.
  ///
  /// - Throws: ``TracingError`` or `PickleError`.
  init(_ paths: [FilePath]) throws {
    files = try paths.map { try Self.read(PyTorchFile($0)) }
    experts = files.compactMap(\.experts).max()
  }

  /// Calls `body` with one sequence after another.
  func forEachStep(_ body: (TraceImport.Step) throws -> Void) throws {
    let k = files.flatMap { $0.passes.map(\.k) }.max() ?? 1
    for file in files {
      for sequence in file.sequences.sequences {
        try body(Self.step(file, sequence, k: k))
      }
    }
  }

  private static func step(
    _ file: File, _ sequence: RequestSequences.Sequence, k: Int
  ) -> TraceImport.Step {
    let layers = file.passes.map(\.layers).max() ?? 0
    var rows = [[Int]](repeating: [], count: layers)
    for (index, token) in sequence.tokens {
      let pass = file.passes[index]
      for layer in 0..<layers {
        var slots = [Int](repeating: -1, count: k)
        if layer < pass.layers {
          let start = (layer * pass.tokens + token) * pass.k
          for slot in 0..<pass.k {
            let choice = pass.choices[start + slot]
            slots[slot] = choice == RoutingTraceHeader.unusedSlot ? -1 : Int(choice)
          }
        }
        rows[layer] += slots
      }
    }
    let ids = sequence.tokens.compactMap { index, token in
      file.passes[index].ids.map { Int32(truncatingIfNeeded: $0[token]) }
    }
    return TraceImport.Step(
      layers: rows.enumerated().map { ($0.offset, $0.element) }, k: k,
      tokens: ids.count == sequence.tokens.count ? ids : nil, starts: [0],
      promptLengths: file.sequences.hasPhases ? [sequence.promptLength] : nil)
  }

  private static func read(_ dump: PyTorchFile) throws -> File {
    func problem(_ text: String) -> TracingError { .invalidFile(dump.path, text) }
    guard let records = dump.value["records"]?.elements,
      records.isEmpty || records.contains(where: { $0["topk_ids_of_layer"] != nil })
    else {
      throw problem(
        try SGLangCounts(dump).loads() == nil
          ? "it has no 'records' with 'topk_ids_of_layer'; expected a dump of SGLang's expert distribution recorder in mode per_token"
          : "it holds counts, not choices; inspect it directly, or record in mode per_token")
    }
    let map = try SGLangMap(dump)
    var file = File(experts: map?.experts)
    for (index, record) in records.enumerated() {
      let pass = try Self.pass(record, dump, map, record: index)
      let positions = try numbers(record["positions"], dump) ?? Array(0..<pass.tokens)
      guard pass.ids.map({ $0.count == pass.tokens }) ?? true, positions.count == pass.tokens
      else {
        throw problem("record \(index): 'input_ids' or 'positions' are not one per token")
      }
      if let place = positions.firstIndex(where: { !(0..<Self.positionLimit ~= $0) }) {
        throw problem(
          "record \(index): token \(place) has position \(positions[place]); positions count the tokens of a request from 0 and are below \(Self.positionLimit): the file is damaged"
        )
      }
      file.sequences.add(
        RequestSequences.Pass(
          positions: positions, lengths: try numbers(record["extend_seq_lens"], dump),
          requests: record["rids"]?.elements?.map(\.name),
          phase: try phase(record["forward_mode"], dump.path, record: index)))
      file.passes.append(pass)
      dump.discardPages()
    }
    return file
  }

  private static func pass(
    _ record: PickleValue, _ dump: PyTorchFile, _ map: SGLangMap?, record index: Int
  ) throws -> Pass {
    guard let tensor = record["topk_ids_of_layer"]?.tensor, tensor.shape.count == 3,
      1...4096 ~= tensor.shape[2], tensor.shape[0] <= 4096
    else {
      throw TracingError.invalidFile(
        dump.path, "record \(index) has no tensor 'topk_ids_of_layer' [layers, tokens, k]")
    }
    let (layers, tokens, k) = (tensor.shape[0], tensor.shape[1], tensor.shape[2])
    let ids = try dump.integers(of: tensor)
    var choices: [UInt16] = []
    choices.reserveCapacity(ids.count)
    for (place, id) in ids.enumerated() {
      let layer = place / (tokens * k)
      guard let slot = ExpertID.slot(id) else {
        throw TracingError.invalidFile(
          dump.path,
          ExpertID.problem(id, "record \(index), token \(place / k % tokens)", layer: layer))
      }
      // The map's ids are checked, so they fit.
      choices.append(id == -1 ? slot : UInt16(try map?.logical(id, layer) ?? id))
    }
    return Pass(
      layers: layers, tokens: tokens, k: k, choices: choices,
      ids: try numbers(record["input_ids"], dump))
  }

  /// What a pass does, by SGLang's number of it.
  private static func phase(
    _ value: PickleValue?, _ path: FilePath, record: Int
  ) throws -> RequestSequences.Phase? {
    switch value?.integer {
    case nil, 4: return nil
    case 1: return .extend
    case 2: return .decode
    case 3: return .mixed
    case let mode?:
      throw TracingError.invalidFile(
        path,
        "record \(record) has forward_mode \(mode), whose tokens are drafts of speculative decoding or unknown; expected 1 (extend), 2 (decode), 3 (mixed) or 4 (idle): record without speculative decoding"
      )
    }
  }

  private static func numbers(_ value: PickleValue?, _ dump: PyTorchFile) throws -> [Int]? {
    if let tensor = value?.tensor { return try dump.integers(of: tensor) }
    return value?.elements?.compactMap(\.integer)
  }
}

extension PickleValue {
  /// A request's name: text, or a number as text.
  fileprivate var name: String {
    switch self {
    case .string(let text): text
    case .integer(let number): String(number)
    default: ""
    }
  }
}
