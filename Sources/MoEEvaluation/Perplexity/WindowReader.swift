import MoECore
import MoEModels
import MoERouting
import MoETensor

/// Reads windows of equal lengths together, some positions at a time, so that the memory for their scores is bounded.
///
/// Models whose answers depend on what is read together, and types other than f32 and bf16, read windows whole; their
/// memory grows with the window.
struct WindowReader {
  private let tokens: [Int]
  private let windows: [PerplexityWindow]
  private let rows: Int

  /// Rows whose losses and divergences are computed at a time, the latter in f64.
  private static let block = 64

  /// Prepares to read windows of a text.
  ///
  /// - Parameters:
  ///   - tokens: The text's tokens.
  ///   - windows: At least one, all with as many inputs and as many scored tokens.
  ///   - rows: The most rows of a pass, at least 1, which changes no digit.
  init(_ tokens: [Int], _ windows: [PerplexityWindow], rows: Int = MoEDecoder.usualRows) {
    (self.tokens, self.windows, self.rows) = (tokens, windows, rows)
  }

  /// The sums of the negative log-likelihoods by window, and the divergences from another model by scored token.
  ///
  /// - Throws: `NonFiniteScores`.
  func scores(
    _ model: MoEDecoder, beside reference: MoEDecoder?
  ) throws -> (losses: [Double], divergences: [Double]) {
    var losses = Array(repeating: 0.0, count: windows.count)
    var divergences = Array(repeating: [Double](), count: windows.count)
    let caches = windows.map { _ in model.makeCache() }
    let others = reference.map { other in windows.map { _ in other.makeCache() } }
    let length = windows[0].read.count
    let step = step([model] + (reference.map { [$0] } ?? []))
    for start in stride(from: 0, to: length, by: step) {
      let positions = start..<min(start + step, length)
      let own = try logits(model, positions, caches)
      let expected = try reference.flatMap { other in
        try others.map { try logits(other, positions, $0) }
      }
      for (window, range) in scoredRows(positions) {
        let targets = targets(window, positions)
        for first in stride(from: 0, to: range.count, by: Self.block) {
          let part = first..<min(first + Self.block, range.count)
          let rows = range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound
          let found = own[rows].cast(to: .f32)
          let next = Tensor(part.map { tokens[targets.lowerBound + $0] })
          for loss in found.crossEntropy(targets: next, reduction: .none).array(of: Float.self) {
            losses[window] += Double(loss)
          }
          if let expected {
            divergences[window] += Divergences.between(expected[rows].cast(to: .f32), found)
          }
        }
      }
    }
    return (losses, divergences.flatMap(\.self))
  }

  /// Positions of each window that models read at a time: all of them if the answers of one depend on what is read
  /// together.
  private func step(_ models: [MoEDecoder]) -> Int {
    let length = windows[0].read.count
    guard models.allSatisfy(\.readsTogether) else { return length }
    let limit = models.map { $0.rowLimit(rows) }.min() ?? rows
    return min(length, max(1, limit / windows.count))
  }

  /// The scores of the positions that predict scored tokens, window by window: `[rows, vocabulary]`.
  private func logits(
    _ model: MoEDecoder, _ positions: Range<Int>, _ caches: [KeyValueCache]
  ) throws -> Tensor {
    let parts = zip(windows, caches).map {
      SequencePart(tokens: $0.input(positions, of: tokens), cache: $1)
    }
    let first = max(positions.lowerBound, windows[0].read.count - windows[0].scored.count)
    let rows = windows.indices.flatMap { window in
      (first..<max(first, positions.upperBound)).map {
        window * positions.count + $0 - positions.lowerBound
      }
    }
    let logits = model.read(parts, as: .prompt, scoring: .some(rows)).logits
    guard rows.isEmpty || logits.isAllFinite else {
      let bad = scoredRows(positions).first { !logits[$0.rows].isAllFinite }
      let window = windows[bad?.window ?? 0]
      throw model.nonFinite(
        in: window.input(0..<positions.upperBound, of: tokens), from: window.read.lowerBound)
    }
    return logits
  }

  /// The rows of ``logits(_:_:_:)`` by window.
  private func scoredRows(_ positions: Range<Int>) -> [(window: Int, rows: Range<Int>)] {
    let count = targets(0, positions).count
    return windows.indices.map { ($0, $0 * count..<($0 + 1) * count) }
  }

  /// Places in the text of the tokens that some positions of a window predict, as far as they are scored.
  private func targets(_ window: Int, _ positions: Range<Int>) -> Range<Int> {
    let window = windows[window]
    let offset = window.scored.upperBound - window.read.count
    let all = positions.lowerBound + offset..<positions.upperBound + offset
    return all.clamped(to: window.scored)
  }
}
