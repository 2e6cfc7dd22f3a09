import Foundation
import MoECore
import SystemPackage

extension TraceImporter {
  /// A logger of vLLM's fused MoE layers: a line of JSON per token and layer.
  public static let vllm = TraceImporter(
    "vllm", help: ".jsonl of a vLLM logger, a token and layer per line", joinsFiles: true,
    recognises: {
      try !$0.isDirectory && TextStart($0).isLine(of: TextStart.vllmKeys)
    },
    convert: { request, target in try request.write(VLLMRoutes(request.paths), to: target) })
}

/// Routes that loggers of vLLM write: `{"type": "route", "req_id": "r1", "token_idx": 17, "layer": 0, "topk_ids": [3, 12],
/// "topk_weights": [0.72, 0.28]}` after a line `{"type": "meta", "model_id": …}`.
///
/// Lines of one request with rising token indices are a sequence; where an index does not rise, another begins. All
/// choices are held in memory, because the layers of a token may be in different places, or files.
struct VLLMRoutes: TraceImport.StepSource {
  private struct Route: Decodable {
    var type: String?
    var model_id: String?
    var num_experts: Int?
    var layers_logged: [Int]?
    var req_id: RequestName?
    var token_idx: Int?
    var layer: Int?
    var topk_ids: [Int]?
    var topk_weights: [Double]?
  }

  /// A request's name: text or a number.
  private struct RequestName: Decodable {
    var text: String
    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      text = try (try? value.decode(String.self)) ?? String(value.decode(Int.self))
    }
  }

  /// A token's choices in a layer.
  private struct Choice {
    var experts: [Int]
    var weights: [Double]?
  }

  /// A request's tokens between two places where indices do not rise.
  private struct Run: Hashable {
    var request: String
    var index: Int
  }

  private var order: [Run] = []
  private var choices: [Run: [Int: [Int: Choice]]] = [:]
  private(set) var model: String?
  private(set) var experts: Int?
  private var k = 1
  private var hasWeights = true

  init(_ paths: [FilePath]) throws {
    var last: [String: [Int: (token: Int, run: Int)]] = [:]
    for path in paths { try read(path, &last) }
  }

  private mutating func read(
    _ path: FilePath, _ last: inout [String: [Int: (token: Int, run: Int)]]
  ) throws {
    let decoder = LineDecoder()
    try LineReader(MappedFile(path)).forEachLine { number, bytes in
      guard let route = decoder.decode(Route.self, from: bytes) else {
        throw TracingError.invalidFile(path, "line \(number) is not a JSON object of a route")
      }
      (model, experts) = (model ?? route.model_id, experts ?? route.num_experts)
      guard route.type ?? "route" == "route", route.layers_logged == nil else { return }
      guard let token = route.token_idx, let layer = route.layer, let ids = route.topk_ids,
        !ids.isEmpty, 0..<1 << 20 ~= layer, token >= 0,
        route.topk_weights?.count ?? ids.count == ids.count
      else {
        throw TracingError.invalidFile(
          path,
          "line \(number) is not a route with 'token_idx', 'layer', 'topk_ids' and as many 'topk_weights'"
        )
      }
      if let problem = ExpertID.problem(
        in: ids, k: ids.count, layer: layer,
        token: { _ in
          "token \(token)"
        })
      {
        throw TracingError.invalidFile(path, "line \(number): \(problem)")
      }
      let request = route.req_id?.text ?? ""
      var place = last[request, default: [:]][layer] ?? (token: -1, run: 0)
      if token <= place.token { place.run += 1 }
      place.token = token
      last[request, default: [:]][layer] = place
      let run = Run(request: request, index: place.run)
      if choices[run] == nil { order.append(run) }
      choices[run, default: [:]][token, default: [:]][layer] = Choice(
        experts: ids, weights: route.topk_weights)
      k = max(k, ids.count)
      hasWeights = hasWeights && route.topk_weights != nil
    }
  }

  /// Calls `body` with one sequence after another.
  func forEachStep(_ body: (TraceImport.Step) throws -> Void) throws {
    for run in order {
      let tokens = choices[run] ?? [:]
      let layers = Set(tokens.values.flatMap(\.keys)).sorted()
      let rows = tokens.keys.sorted().compactMap { tokens[$0] }
      func padded<Element>(_ items: [Element]?, _ filler: Element) -> [Element] {
        (items ?? []) + Array(repeating: filler, count: k - (items?.count ?? 0))
      }
      let weights = layers.map { layer in
        rows.flatMap { padded($0[layer]?.weights, 0) }
      }
      try body(
        TraceImport.Step(
          layers: layers.map { layer in (layer, rows.flatMap { padded($0[layer]?.experts, -1) }) },
          k: k, starts: [0], weights: hasWeights ? weights : nil))
    }
  }
}
