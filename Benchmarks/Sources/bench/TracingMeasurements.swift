import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETracing
import SystemPackage

/// The cost of recording and counting routing; there is no peer to compare with.
enum TracingMeasurements {
  /// Tokens, layers, slots and experts of the counted trace.
  private static let (tokens, layers, k, experts) = (10_000_000, 16, 8, 64)

  /// Prints how much longer models take to read prompts while they are recorded.
  static func recording(_ models: [FilePath], rounds: Int, in folder: FilePath) throws {
    for path in models {
      let model = try MoEDecoder.open(path)
      let count = min(512, model.configuration.contextLength)
      let vocabulary = model.configuration.vocabularySize
      let prompt = Tensor((0..<count).map { $0 * 7919 % vocabulary }, shape: [1, count])
      let recorder = TraceRecorder(folder.appending("recorded.safetensors"))
      func read(_ observer: (any RoutingObserver)?) -> Double {
        let time = ContinuousClock().measure {
          withoutGradients { _ = model(prompt, scoring: .last, observer: observer) }
        }
        return time / Duration.seconds(1)
      }
      for _ in 0..<5 { _ = read(nil) + read(recorder) }
      var (plain, recorded): ([Double], [Double]) = ([], [])
      for round in 0..<rounds * 20 {
        // The order alternates from round to round.
        if round.isMultiple(of: 2) { plain.append(read(nil)) }
        recorded.append(read(recorder))
        if !round.isMultiple(of: 2) { plain.append(read(nil)) }
      }
      try recorder.finish()
      let share = median(recorded) / median(plain) - 1
      print(
        "recording a prompt of \(count) tokens, \(path.lastComponent?.string ?? ""): \(median(plain) * 1e3) ms without, \(median(recorded) * 1e3) ms with, \((share * 1000).rounded() / 10) % more (target: at most 2 %)"
      )
    }
  }

  /// Prints the time and memory of counting a long trace.
  static func counting(in folder: FilePath) throws {
    let path = folder.appending("long.safetensors")
    try write(to: path)
    let trace = try RoutingTrace(path)
    let kinds: [(String, RoutingCounts.Tables)] = [
      ("loads", []), ("loads, transitions of first experts", [.firstTransitions]),
      ("the same, and transitions of all experts", [.firstTransitions, .weightedTransitions]),
      (
        "the same, and pairs within layers",
        [.firstTransitions, .weightedTransitions, .coactivations]
      ),
    ]
    for (name, tables) in kinds {
      forgetPeak()
      let time = try ContinuousClock().measure { _ = try RoutingCounts(trace, tables: tables) }
      print(
        "counting \(tokens) tokens × \(layers) layers × top-\(k) of \(experts), \(name): \(time), peak \(peak() / 1_000_000) MB (target: below 10 s, 500 MB)"
      )
    }
    try FileManager.default.removeItem(atPath: path.string)
  }

  /// Random choices, one block at a time.
  private static func write(to path: FilePath) throws {
    let writer = try RoutingTraceWriter(
      RoutingTraceHeader(layers: Array(0..<layers), experts: experts, k: k), to: path)
    var generator = SeededGenerator(seed: 1)
    let block = 1 << 14
    var choices = [UInt16](repeating: 0, count: block * layers * k)
    for start in stride(from: 0, to: tokens, by: block) {
      let count = min(block, tokens - start)
      for row in 0..<count * layers {
        // An odd step never visits the same one of 64 experts twice.
        let random = generator.next()
        let (first, step) = (random & 63, random >> 6 & 63 | 1)
        for slot in 0..<k {
          choices[row * k + slot] = UInt16((first &+ UInt64(slot) &* step) & 63)
        }
      }
      try writer.append(experts: Array(choices[0..<count * layers * k]))
    }
    try writer.finish()
  }

  private static func forgetPeak() {
    try? "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
  }

  /// The peak memory since ``forgetPeak()``, mapped files included.
  private static func peak() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return (line.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first ?? 0) * 1024
  }
}
