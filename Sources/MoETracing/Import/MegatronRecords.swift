import Foundation
import MoECore
import SystemPackage

/// Megatron-Core's router trace: a JSON object per line, one for each step, block and layer.
///
/// `{"step": 0, "block": "decoder", "layer": 3, "num_tokens": 128, "topk": 8, "top_indices": [[…], …], …}`.
/// Records of multi-token prediction (`block` "mtp") are left out. A layer may occur several times in a step,
/// once for each micro-batch.
struct MegatronRecords {
  private struct Record: Decodable {
    var step: Int
    var block: String?
    var layer: Int
    var top_indices: [[Int]]
  }

  private let path: FilePath

  init(_ path: FilePath) { self.path = path }

  var steps: [TraceImport.Step] {
    get throws {
      let file = try MappedFile(path)
      let data = file.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe Data($0) } }
      var result: [TraceImport.Step] = []
      var open: [Int: TraceImport.Step] = [:]
      var (current, seen) = (Int.min, [Int: Int]())
      for (number, line) in data.split(separator: 0x0A).enumerated() {
        let record: Record
        do { record = try JSONDecoder().decode(Record.self, from: line) } catch {
          throw TracingError.invalidFile(
            path, "line \(number + 1) is no record with 'step', 'layer' and 'top_indices'")
        }
        guard record.block ?? "decoder" == "decoder" else { continue }
        if record.step != current {
          result += open.sorted { $0.key < $1.key }.map(\.value)
          (current, seen, open) = (record.step, [:], [:])
        }
        let micro = seen[record.layer, default: 0]
        seen[record.layer] = micro + 1
        let k = record.top_indices.first?.count ?? 0
        guard k > 0, record.top_indices.allSatisfy({ $0.count == k }),
          open[micro].map({
            $0.k == k && $0.layers.first?.experts.count == k * record.top_indices.count
          })
            ?? true
        else {
          throw TracingError.invalidFile(
            path, "line \(number + 1): 'top_indices' differs in size from the rest of its step")
        }
        open[micro, default: TraceImport.Step(layers: [], k: k, tokens: nil, starts: [0])].layers
          .append((record.layer, record.top_indices.flatMap { $0 }))
      }
      return result + open.sorted { $0.key < $1.key }.map(\.value)
    }
  }
}
