import Dispatch
import MoECore

/// Fills the tables of ``RoutingCounts`` block by block, with one thread per layer.
struct RoutingCounter {
  private let header: RoutingTraceHeader
  private let tables: RoutingCounts.Tables
  private let hasWeights: Bool
  private let layers: [LayerTables]

  /// The most memory that tables may take.
  private static let byteLimit = 8_000_000_000

  init(
    _ header: RoutingTraceHeader, tables: RoutingCounts.Tables, hasWeights: Bool
  ) throws(TracingError) {
    (self.header, self.tables, self.hasWeights) = (header, tables, hasWeights)
    let kinds = tables.rawValue.nonzeroBitCount + 1
    let bytes = header.layers.count * header.experts * header.experts * kinds * 8
    guard bytes <= Self.byteLimit else {
      throw .invalidRequest(
        "counting pairs of \(NumberText.counted(header.experts, "expert")) in \(NumberText.counted(header.layers.count, "layer")) takes \(bytes / 1_000_000_000) GB, more than the limit of \(Self.byteLimit / 1_000_000_000) GB; count loads only"
      )
    }
    let last = header.layers.count - 1
    layers = header.layers.indices.map {
      LayerTables(
        experts: header.experts, tables: tables, hasWeights: hasWeights, isLast: $0 == last)
    }
  }

  /// Counts a block, whose experts have been checked.
  func add(_ block: RoutingTrace.Block) { block.forEachLayer(header) { count($0, block) } }

  private func count(_ layer: Int, _ block: RoutingTrace.Block) {
    let (k, width) = (header.k, header.choicesPerToken)
    let here = LayerChoices(block, layer: layer, k: k, width: width)
    let table = layers[layer]
    if hasWeights { table.countWeights(here) }
    let isFull = here.isFull
    table.countLoads(here, isFull: isFull)
    if tables.contains(.coactivations) { table.countCoactivations(here, isFull: isFull) }
    guard layer + 1 < layers.count else { return }
    let next = LayerChoices(block, layer: layer + 1, k: k, width: width)
    if tables.contains(.firstTransitions) { table.countFirst(here, next) }
    let isWeighted = tables.contains(.weightedTransitions)
    if isWeighted, hasWeights { table.countWeighted(here, next) }
    if tables.contains(.pairTransitions) || (isWeighted && !hasWeights) {
      table.countPairs(
        here, next, areFull: isFull && next.isFull, correcting: isWeighted && !hasWeights)
    }
  }

  /// The counts so far.
  func counts(tokens: Int) -> RoutingCounts {
    let pairs = layers.dropLast()
    func ifAsked<T>(_ table: RoutingCounts.Tables, _ value: () -> T) -> T? {
      tables.contains(table) ? value() : nil
    }
    return RoutingCounts(
      layers: header.layers, expertCount: header.experts, k: header.k, tokenCount: tokens,
      loads: layers.map(\.allLoads), firstLoads: layers.map(\.firstLoads.array),
      weightedLoads: layers.map { $0.allWeightedLoads(k: header.k) },
      firstTransitions: ifAsked(.firstTransitions) { pairs.map(\.first.array) },
      pairTransitions: ifAsked(.pairTransitions) { pairs.map(\.pairs.array) },
      weightedTransitions: ifAsked(.weightedTransitions) {
        pairs.map { $0.weightedArray(k: header.k, hasWeights: hasWeights) }
      },
      coactivations: ifAsked(.coactivations) { layers.map(\.allCoactivations) },
      remarks: weightRemark.map { [$0] } ?? [])
  }
}

extension RoutingCounter {
  /// A sentence about weights that are no weights, if there are any.
  private var weightRemark: String? {
    let unusable = layers.reduce(0) { $0 + $1.unusableWeights.array[0] }
    guard unusable > 0 else { return nil }
    return
      "\(unusable) \(unusable == 1 ? "weight is" : "weights are") negative or not finite, and \(unusable == 1 ? "counts" : "count") as 0."
  }
}

extension RoutingTrace.Block {
  /// With fewer choices, threads cost more than they save.
  private static let parallelLimit = 1 << 14

  /// Calls `body` for every layer, several concurrently; calls must not modify shared state.
  func forEachLayer(_ header: RoutingTraceHeader, _ body: (_ layer: Int) -> Void) {
    let layers = header.layers.count
    guard range.count * header.choicesPerToken > Self.parallelLimit else {
      for layer in 0..<layers { body(layer) }
      return
    }
    withoutActuallyEscaping(body) { body in
      nonisolated(unsafe) let body = body
      DispatchQueue.concurrentPerform(iterations: layers) { layer in unsafe body(layer) }
    }
  }
}

/// The choices of one layer in a block: `k` slots every `width` elements.
@safe struct LayerChoices {
  private let experts: UnsafePointer<UInt16>
  private let weights: UnsafePointer<UInt16>?
  let tokens: Int
  let k: Int
  private let width: Int

  init(_ block: RoutingTrace.Block, layer: Int, k: Int, width: Int) {
    // A block has at least one token, one layer and one slot.
    unsafe experts = block.experts.baseAddress.unsafelyUnwrapped + layer * k
    unsafe weights = block.weights?.baseAddress.map { unsafe $0 + layer * k }
    (self.tokens, self.k, self.width) = (block.range.count, k, width)
  }

  @inline(__always)
  subscript(token: Int, slot: Int) -> UInt16 { unsafe experts[token * width + slot] }

  /// The slots of a token.
  @unsafe @inline(__always)
  func row(_ token: Int) -> UnsafePointer<UInt16> { unsafe experts + token &* width }

  /// Adds every choice to its token's row of a table; tokens with a negative row are skipped.
  func count(rows: [Int], into table: CountTable<Int>) {
    for token in 0..<tokens where rows[token] >= 0 {
      for slot in 0..<k {
        let expert = self[token, slot]
        guard expert != RoutingTraceHeader.unusedSlot else { continue }
        table.increment(at: rows[token] &+ Int(expert))
      }
    }
  }

  /// Whether choices have weights.
  var hasWeights: Bool { unsafe weights != nil }

  /// Number of slots that a token uses.
  @inline(__always)
  func used(_ token: Int) -> Int {
    var count = 0
    for slot in 0..<k where self[token, slot] != RoutingTraceHeader.unusedSlot { count += 1 }
    return count
  }

  /// Whether every token uses every slot.
  var isFull: Bool {
    var isFull = true
    for token in 0..<tokens {
      for slot in 0..<k { isFull = isFull && self[token, slot] != RoutingTraceHeader.unusedSlot }
    }
    return isFull
  }

  /// A token's weights, normalized to sum to 1; equal if weights are missing or none is positive.
  @inline(__always)
  func shares(_ token: Int, into result: inout [Double]) {
    var sum = 0.0
    for slot in 0..<k {
      let share = weight(token, slot)
      result[slot] = share
      sum += share
    }
    if sum <= 0 {
      for slot in 0..<k {
        result[slot] = self[token, slot] == RoutingTraceHeader.unusedSlot ? 0 : 1
        sum += result[slot]
      }
    }
    let scale = sum > 0 ? 1 / sum : 0
    for slot in 0..<k { result[slot] *= scale }
  }

  /// The number of weights of used slots that are negative or not finite.
  var unusableWeights: Int {
    guard let weights = unsafe weights else { return 0 }
    var count = 0
    for token in 0..<tokens {
      for slot in 0..<k where self[token, slot] != RoutingTraceHeader.unusedSlot {
        let weight = unsafe Float16(bitPattern: weights[token * width + slot])
        if !(weight >= 0 && weight.isFinite) { count += 1 }
      }
    }
    return count
  }

  /// A choice's weight, 1 without weights; 0 in unused slots and for anything but a positive
  /// number.
  @inline(__always)
  private func weight(_ token: Int, _ slot: Int) -> Double {
    guard self[token, slot] != RoutingTraceHeader.unusedSlot else { return 0 }
    guard let weights = unsafe weights else { return 1 }
    let weight = unsafe Double(Float16(bitPattern: weights[token * width + slot]))
    return weight > 0 && weight.isFinite ? weight : 0
  }
}
