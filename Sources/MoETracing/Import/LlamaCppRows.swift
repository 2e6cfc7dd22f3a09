import MoECore
import SystemPackage

/// llama.cpp's `moe-trace`: a line `layer,expert` for each choice, layer after layer, pass after pass.
///
/// The file says neither where passes end nor how many experts a token has. A pass ends where layers stop
/// rising; k is the shortest run of one layer, which one generated token makes, unless it is given. The last
/// layer of a prompt often holds the last token only, because llama.cpp skips what no output needs.
struct LlamaCppRows {
  private let path: FilePath
  private let k: Int?

  init(_ path: FilePath, k: Int?) { (self.path, self.k) = (path, k) }

  var steps: [TraceImport.Step] {
    get throws {
      let runs = try runs()
      guard let shortest = runs.map(\.experts.count).min() else { return [] }
      let k = self.k ?? shortest
      var passes: [[(layer: Int, experts: [Int])]] = []
      for run in runs {
        guard run.experts.count.isMultiple(of: k) else {
          throw TracingError.invalidFile(
            path,
            "layer \(run.layer) has \(run.experts.count) choices in a row, no multiple of \(k) per token; say how many experts a token has"
          )
        }
        if let last = passes.last?.last, last.layer < run.layer {
          passes[passes.count - 1].append(run)
        } else {
          passes.append([run])
        }
      }
      return passes.enumerated().map { number, layers in
        TraceImport.Step(layers: layers, k: k, tokens: nil, starts: number == 0 ? [0] : [])
      }
    }
  }

  private func runs() throws -> [(layer: Int, experts: [Int])] {
    let file = try MappedFile(path)
    var result: [(layer: Int, experts: [Int])] = []
    let text = file.count == 0 ? "" : file.text(0..<file.count)
    for (number, line) in text.split(whereSeparator: \.isNewline).enumerated() {
      let fields = line.split(separator: ",").map { $0.trimmingSpaces }
      if number == 0, fields == ["layer", "expert"] { continue }
      guard fields.count == 2, let layer = Int(fields[0]), let expert = Int(fields[1]), layer >= 0,
        expert >= 0
      else {
        throw TracingError.invalidFile(path, "line \(number + 1) is not 'layer,expert'")
      }
      if result.last?.layer == layer {
        result[result.count - 1].experts.append(expert)
      } else {
        result.append((layer, [expert]))
      }
    }
    return result
  }
}

extension Substring {
  var trimmingSpaces: String { String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
}
