import Foundation
import MoECore
import SystemPackage

extension TraceImporter {
  /// Megatron-Core's `router_trace`: a line of JSON per step and layer.
  public static let megatron = TraceImporter(
    "megatron", help: ".jsonl of Megatron-Core's router trace",
    joinsFiles: true,
    recognises: { path in
      try path.extension == "jsonl" && TextStart(path).isLine(of: TextStart.megatronKeys)
    },
    convert: { request, target in try request.write(MegatronRecords(request.paths), to: target) })
}

/// Megatron-Core's router trace: a JSON object per line, one for each step, block and layer.
///
/// `{"step": 0, "block": "decoder", "layer": 3, "num_tokens": 128, "topk": 8, "top_indices": [[…],
/// …], …}`. Records of multi-token prediction (`block` "mtp") are skipped. A layer may occur
/// several times in a step, once per micro-batch.
///
/// Memory use is bounded by one step.
struct MegatronRecords: TraceImport.StepSource {
  private struct Record: Decodable {
    var step: Int
    var block: String?
    var layer: Int
    var top_indices: [[Int]]
  }

  private let files: [(path: FilePath, file: MappedFile)]

  init(_ paths: [FilePath]) throws { files = try paths.map { ($0, try MappedFile($0)) } }

  func forEachStep(_ body: (TraceImport.Step) throws -> Void) throws {
    for (path, file) in files { try forEachStep(of: path, file, body) }
  }

  private func forEachStep(
    of path: FilePath, _ file: MappedFile, _ body: (TraceImport.Step) throws -> Void
  ) throws {
    var open: [Int: TraceImport.Step] = [:]
    var (current, seen) = (Int?.none, [Int: Int]())
    func close() throws {
      for (_, step) in open.sorted(by: { $0.key < $1.key }) { try body(step) }
      (seen, open) = ([:], [:])
    }
    let decoder = LineDecoder()
    try LineReader(file).forEachLine { number, bytes in
      guard let record = decoder.decode(Record.self, from: bytes) else {
        throw TracingError.invalidFile(
          path, "line \(number) is not a record with 'step', 'layer' and 'top_indices'")
      }
      guard record.block ?? "decoder" == "decoder" else { return }
      if record.step != current {
        try close()
        current = record.step
      }
      let micro = seen[record.layer, default: 0]
      seen[record.layer] = micro + 1
      let k = record.top_indices.first?.count ?? 0
      guard k > 0, record.top_indices.allSatisfy({ $0.count == k }),
        open[micro].map({
          $0.k == k && $0.layers.first?.experts.count == k * record.top_indices.count
        }) ?? true
      else {
        throw TracingError.invalidFile(
          path, "line \(number): 'top_indices' differs in size from the rest of its step")
      }
      let ids = record.top_indices.flatMap { $0 }
      if let problem = ExpertID.problem(
        in: ids, k: k, layer: record.layer,
        token: {
          "token \($0)"
        })
      {
        throw TracingError.invalidFile(path, "line \(number): \(problem)")
      }
      open[micro, default: TraceImport.Step(layers: [], k: k, tokens: nil, starts: [0])].layers
        .append((record.layer, ids))
    }
    try close()
  }
}
