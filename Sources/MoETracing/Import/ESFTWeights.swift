import Foundation
import MoECore
import SystemPackage

extension TraceImporter {
  /// ESFT's expert scores: a text file per layer.
  public static let esft = TraceImporter(
    "esft", help: "expert_weights_LAYER.txt of ESFT, or their folder", joinsFiles: true,
    recognises: { path in
      if path.isDirectory { return try !ESFTWeights.files(in: path).isEmpty }
      return try TextStart(path).isTabbedNumbers
    },
    convert: { request, target in
      let k = request.options.k
      try request.write(
        ESFTWeights(request.paths, k: k, noting: { request.note(.slotsAssumed($0)) }), to: target)
    })
}

/// The choices of one layer per file: on each line the experts of all tokens of a text, two tabs, and their weights.
///
/// The layer is the number in the file's name. How many experts a token has is not in the files: unless given, it is the
/// largest number that divides every line so that no token has an expert twice.
struct ESFTWeights: TraceImport.StepSource {
  private struct Line {
    var experts: [Int]
    var weights: [Double]
  }

  private var layers: [(layer: Int, path: FilePath, lines: [Line])] = []
  private let k: Int

  init(_ paths: [FilePath], k: Int?, noting: (Int) -> Void) throws {
    let files = try paths.flatMap { $0.isDirectory ? try Self.files(in: $0) : [$0] }
    for path in files { layers.append((try Self.layer(of: path), path, try Self.lines(path))) }
    layers.sort { $0.layer < $1.layer }
    for (one, next) in zip(layers, layers.dropFirst()) where one.layer == next.layer {
      throw TracingError.invalidRequest(
        "several files have the choices of layer \(one.layer); name one for each layer")
    }
    let counts = layers.map { $0.lines.map(\.experts.count) }
    guard let first = counts.first, counts.allSatisfy({ $0 == first }) else {
      throw TracingError.invalidRequest(
        "the files differ in their numbers of lines or choices; name the files of one run")
    }
    let all = layers.flatMap(\.lines).map(\.experts)
    if let k {
      guard first.allSatisfy({ $0.isMultiple(of: k) }) else {
        throw TracingError.invalidRequest("a line's choices are not a multiple of \(k) per token")
      }
      self.k = k
    } else {
      self.k = Self.slots(all)
      noting(self.k)
    }
    try checkIDs()
  }

  private func checkIDs() throws {
    for (layer, path, lines) in layers {
      var first = 0
      for line in lines {
        if let problem = ExpertID.problem(
          in: line.experts, k: k, layer: layer,
          token: {
            "token \(first + $0)"
          })
        {
          throw TracingError.invalidFile(path, problem)
        }
        first += line.experts.count / k
      }
    }
  }

  /// ESFT's files in a folder, in the order of their layers.
  static func files(in folder: FilePath) throws -> [FilePath] {
    try FileManager.default.contentsOfDirectory(atPath: folder.string).map { folder.appending($0) }
      .filter { $0.extension == "txt" && $0.stem?.hasPrefix("expert_weights_") ?? false }
      .sorted { $0.string < $1.string }
  }

  private static func layer(of path: FilePath) throws -> Int {
    let digits = (path.stem ?? "").reversed().prefix { $0.isNumber }.reversed()
    guard let layer = Int(String(digits)) else {
      throw TracingError.invalidFile(
        path, "its name does not end with the layer's number, as expert_weights_3.txt")
    }
    return layer
  }

  private static func lines(_ path: FilePath) throws -> [Line] {
    var result: [Line] = []
    try LineReader(MappedFile(path)).forEachLine { number, bytes in
      let text = String(decoding: bytes.data, as: UTF8.self).filter { $0 != "\r" }
      let fields = text.split(separator: "\t", omittingEmptySubsequences: false)
      let gap = fields.firstIndex(of: "") ?? fields.count
      let experts = fields[..<gap].map { Int($0) }
      let weights = fields[min(gap + 1, fields.count)...].filter { !$0.isEmpty }.map { Double($0) }
      guard !experts.contains(nil), !weights.contains(nil), experts.count == weights.count,
        !experts.isEmpty
      else {
        throw TracingError.invalidFile(
          path, "line \(number) is not experts, two tabs and as many weights")
      }
      result.append(
        Line(experts: experts.compactMap { $0 }, weights: weights.compactMap { $0 }))
    }
    return result
  }

  /// The largest number of slots per token that fits all lines.
  private static func slots(_ lines: [[Int]]) -> Int {
    let shortest = lines.map(\.count).min() ?? 1
    let fitting = stride(from: min(shortest, 512), to: 1, by: -1).first { k in
      lines.allSatisfy { line in
        line.count.isMultiple(of: k)
          && stride(from: 0, to: line.count, by: k).allSatisfy {
            Set(line[$0..<$0 + k]).count == k
          }
      }
    }
    return fitting ?? 1
  }

  /// Calls `body` with each line of all layers; files with a token per line are one text.
  func forEachStep(_ body: (TraceImport.Step) throws -> Void) throws {
    let lines = layers.first?.lines.count ?? 0
    let isOneText = layers.first?.lines.allSatisfy { $0.experts.count == k } ?? false
    for line in 0..<lines {
      try body(
        TraceImport.Step(
          layers: layers.map { ($0.layer, $0.lines[line].experts) }, k: k,
          starts: isOneText && line > 0 ? [] : [0],
          weights: layers.map { $0.lines[line].weights }))
    }
  }
}
