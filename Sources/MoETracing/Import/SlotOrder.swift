/// The used slots of a token: the best first, if weights tell which one it is.
enum SlotOrder {
  /// The used slots in the order of a trace.
  ///
  /// - Parameters:
  ///   - slots: Experts, 65535 in unused slots.
  ///   - weights: A weight per slot; `nil` keeps the order.
  /// - Returns: Experts and their weights, 0 without weights.
  static func used(
    _ slots: [UInt16], _ weights: [Double]?
  ) -> [(expert: UInt16, weight: Double)] {
    var result: [(expert: UInt16, weight: Double)] = []
    result.reserveCapacity(slots.count)
    for (place, expert) in slots.enumerated() where expert != RoutingTraceHeader.unusedSlot {
      result.append((expert, weights?[place] ?? 0))
    }
    if weights != nil { sort(&result) }
    return result
  }

  /// Puts the largest weight first by insertion, which is stable, and fast for the few slots of a token.
  static func sort(_ choices: inout [(expert: UInt16, weight: Double)]) {
    for end in choices.indices.dropFirst() {
      var place = end
      while place > 0, choices[place - 1].weight < choices[place].weight {
        choices.swapAt(place - 1, place)
        place -= 1
      }
    }
  }
}

/// Checks weights of choices, which must be finite and at least 0.
struct WeightCheck {
  private var count = 0
  private var unusable = 0
  private var first: (token: Int, layer: Int, weight: Double)?

  /// The largest weight that a trace can hold.
  private static let largest = Double(Float16.greatestFiniteMagnitude)

  /// Takes the weight of a used slot into account.
  mutating func add(_ weight: Double, token: Int, layer: Int) {
    count += 1
    guard weight >= 0, weight <= Self.largest else {
      unusable += 1
      if first == nil { first = (token, layer, weight) }
      return
    }
  }

  /// Says how many weights cannot be used, and where the first one is; `nil` if all can.
  var problem: String? {
    first.map {
      "\(unusable) of \(count) weights are not numbers in 0…\(Int(Self.largest)), the first at token \($0.token), layer \($0.layer): \($0.weight)"
    }
  }
}
