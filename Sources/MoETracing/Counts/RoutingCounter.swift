import Dispatch

/// Fills the tables of ``RoutingCounts`` block by block, each layer on one thread.
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
        "counting pairs of \(header.experts) experts in \(header.layers.count) layers takes \(bytes / 1_000_000_000) GB, more than the \(Self.byteLimit / 1_000_000_000) GB that are allowed; count loads only"
      )
    }
    let last = header.layers.count - 1
    layers = header.layers.indices.map {
      LayerTables(
        experts: header.experts, tables: tables, hasWeights: hasWeights, isLast: $0 == last)
    }
  }

  /// Counts a block, whose experts have been checked.
  mutating func add(_ block: RoutingTrace.Block) {
    let width = header.choicesPerToken
    guard block.range.count * width > Self.parallelLimit else {
      for layer in layers.indices { unsafe count(layer, block) }
      return
    }
    // Layers share no table, so that they can be counted at the same time.
    nonisolated(unsafe) let (counter, shared) = unsafe (self, block)
    DispatchQueue.concurrentPerform(iterations: layers.count) { layer in
      unsafe counter.count(layer, shared)
    }
  }

  /// Choices below which threads cost more than they bring.
  private static let parallelLimit = 1 << 14

  private func count(_ layer: Int, _ block: RoutingTrace.Block) {
    let (k, width) = (header.k, header.choicesPerToken)
    let here = unsafe LayerChoices(block, layer: layer, k: k, width: width)
    let table = layers[layer]
    unsafe table.countLoads(here)
    if tables.contains(.coactivations) { unsafe table.countCoactivations(here) }
    guard layer + 1 < layers.count else { return }
    let next = unsafe LayerChoices(block, layer: layer + 1, k: k, width: width)
    if tables.contains(.firstTransitions) { unsafe table.countFirst(here, next) }
    let isWeighted = tables.contains(.weightedTransitions)
    if isWeighted, hasWeights { unsafe table.countWeighted(here, next) }
    if tables.contains(.pairTransitions) || (isWeighted && !hasWeights) {
      unsafe table.countPairs(here, next, correcting: isWeighted && !hasWeights)
    }
  }

  /// What has been counted.
  func counts(tokens: Int) -> RoutingCounts {
    let pairs = layers.dropLast()
    func ifAsked<T>(_ table: RoutingCounts.Tables, _ value: () -> T) -> T? {
      tables.contains(table) ? value() : nil
    }
    return RoutingCounts(
      layers: header.layers, expertCount: header.experts, k: header.k, tokenCount: tokens,
      loads: layers.map(\.loads.array), firstLoads: layers.map(\.firstLoads.array),
      weightedLoads: layers.map(\.weightedLoads.array),
      firstTransitions: ifAsked(.firstTransitions) { pairs.map(\.first.array) },
      pairTransitions: ifAsked(.pairTransitions) { pairs.map(\.pairs.array) },
      weightedTransitions: ifAsked(.weightedTransitions) {
        pairs.map { $0.weightedArray(k: header.k, hasWeights: hasWeights) }
      },
      coactivations: ifAsked(.coactivations) { layers.map(\.coactivations.array) })
  }
}

/// The choices of one layer in a block: `k` slots every `width` numbers.
struct LayerChoices {
  let experts: UnsafePointer<UInt16>
  let weights: UnsafePointer<UInt16>?
  let tokens: Int
  let k: Int
  let width: Int

  init(_ block: RoutingTrace.Block, layer: Int, k: Int, width: Int) {
    // A block has at least one token, one layer and one slot.
    unsafe experts = unsafe block.experts.baseAddress.unsafelyUnwrapped + layer * k
    unsafe weights = unsafe block.weights?.baseAddress.map { unsafe $0 + layer * k }
    unsafe (self.tokens, self.k, self.width) = (block.range.count, k, width)
  }

  /// Number of slots that a token uses.
  @inline(__always)
  func used(_ token: Int) -> Int {
    var count = 0
    for slot in 0..<k {
      if unsafe experts[token * width + slot] != RoutingTraceHeader.unusedSlot { count += 1 }
    }
    return count
  }

  /// Whether every token uses every slot.
  var isFull: Bool {
    for token in 0..<tokens {
      for slot in 0..<k
      where unsafe experts[token * width + slot] == RoutingTraceHeader.unusedSlot {
        return false
      }
    }
    return true
  }

  /// A token's shares, which add up to 1; equal ones if weights are missing, or none is positive.
  func shares(_ token: Int, into result: inout [Double]) {
    var sum = 0.0
    for slot in 0..<k {
      let place = token * width + slot
      var share = 0.0
      if unsafe experts[place] != RoutingTraceHeader.unusedSlot {
        share = unsafe weights.map { unsafe Double(Float16(bitPattern: $0[place])) } ?? 1
        share = share > 0 && share.isFinite ? share : 0
      }
      result[slot] = share
      sum += share
    }
    if sum > 0 {
      for slot in 0..<k { result[slot] /= sum }
    } else {
      let count = Double(Swift.max(1, unsafe used(token)))
      for slot in 0..<k {
        let isUsed = unsafe experts[token * width + slot] != RoutingTraceHeader.unusedSlot
        result[slot] = isUsed ? 1 / count : 0
      }
    }
  }
}
