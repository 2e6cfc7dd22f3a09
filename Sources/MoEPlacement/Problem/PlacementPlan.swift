/// A placement plan: which expert each slot of each layer holds.
///
/// Slot `s` belongs to rank `s / slotsPerRank`. A plan read from a file may violate rules;
/// ``violations`` lists how, and ``validate()`` throws then.
public struct PlacementPlan: Hashable, Sendable {
  /// The model's layers that have experts, in ascending order.
  public let layerIDs: [Int]
  /// The number of experts per layer.
  public let experts: Int
  /// Number of ranks.
  public let ranks: Int
  /// Number of nodes; divides the ranks.
  public let nodes: Int
  /// The expert of each slot, `[layers][slots]`.
  public let slots: [[Int]]

  /// Creates a plan without validating it.
  public init(layerIDs: [Int], experts: Int, ranks: Int, nodes: Int = 1, slots: [[Int]]) {
    (self.layerIDs, self.experts, self.ranks) = (layerIDs, experts, ranks)
    (self.nodes, self.slots) = (nodes, slots)
  }

  /// The plan that puts experts on ranks, `[layers][ranks]`, in ascending order within each rank.
  init(_ problem: PlacementProblem, expertsOfRanks: [[[Int]]]) {
    self.init(
      layerIDs: problem.layerIDs, experts: problem.experts, ranks: problem.topology.ranks,
      nodes: problem.topology.nodes, slots: expertsOfRanks.map { $0.flatMap { $0.sorted() } })
  }

  /// Number of layers with experts.
  public var layers: Int { slots.count }
  /// The number of slots of one rank in each layer.
  public var slotsPerRank: Int { (slots.first?.count ?? 0) / max(1, ranks) }
  /// The number of additional slots per layer.
  public var replicas: Int { (slots.first?.count ?? 0) - experts }

  /// The rank of a slot.
  public func rank(ofSlot slot: Int) -> Int { slot / slotsPerRank }

  /// The ranks that hold each expert of a layer, in ascending order, one for each copy.
  ///
  /// - Precondition: The plan is legal, or wastes slots only.
  public func ranksOfExperts(layer: Int) -> [[Int]] {
    var result = [[Int]](repeating: [], count: experts)
    for (slot, expert) in slots[layer].enumerated() { result[expert].append(rank(ofSlot: slot)) }
    return result
  }

  /// A violation of the rules by a plan.
  public struct Violation: Hashable, Sendable, CustomStringConvertible {
    /// The model's layer, or `nil` for the whole plan.
    public let layer: Int?
    /// What is wrong.
    public let message: String
    /// Whether the plan still says where every token goes: it only wastes a slot.
    public let isWasteOnly: Bool
    /// The layer and the message.
    public var description: String { (layer.map { "layer \($0): " } ?? "") + message }

    init(layer: Int?, message: String, isWasteOnly: Bool = false) {
      (self.layer, self.message, self.isWasteOnly) = (layer, message, isWasteOnly)
    }
  }

  /// All reasons why this is not a legal plan, in the order of the layers.
  ///
  /// Legal means: every expert has a slot in every layer, every rank has the same number of slots,
  /// and no rank holds two copies of one expert.
  ///
  /// - Complexity: O(layers × slots).
  public var violations: [Violation] {
    func whole(_ message: String) -> [Violation] { [Violation(layer: nil, message: message)] }
    guard ranks >= 1, nodes >= 1, experts >= 1, ranks.isMultiple(of: nodes) else {
      return whole(
        "\(experts) experts on \(ranks) ranks of \(nodes) nodes; all must be at least 1, and nodes divide the ranks"
      )
    }
    guard !slots.isEmpty, layerIDs.count == slots.count,
      zip(layerIDs, layerIDs.dropFirst()).allSatisfy({ $0 < $1 }),
      layerIDs.allSatisfy({ $0 >= 0 && $0 < 1 << 31 })
    else {
      return whole(
        "\(layerIDs.count) layer numbers for \(slots.count) layers; they must rise from 0 on")
    }
    let count = slots[0].count
    return zip(layerIDs, slots).flatMap { id, row in
      guard row.count == count, row.count.isMultiple(of: ranks), row.count >= experts else {
        return [
          Violation(
            layer: id,
            message:
              "\(row.count) slots for \(experts) experts on \(ranks) ranks; every layer needs the same number, a multiple of the ranks, and a slot for each expert"
          )
        ]
      }
      return faults(row, layer: id)
    }
  }

  private func faults(_ row: [Int], layer: Int) -> [Violation] {
    var found: [Violation] = []
    var copies = [Int](repeating: 0, count: experts)
    let perRank = row.count / ranks
    for rank in 0..<ranks {
      let held = row[rank * perRank..<(rank + 1) * perRank]
      var here: [Int: Int] = [:]
      for expert in held { here[expert, default: 0] += 1 }
      for (expert, count) in here.sorted(by: { $0.key < $1.key }) {
        guard (0..<experts).contains(expert) else {
          found.append(
            Violation(
              layer: layer,
              message: "rank \(rank) holds expert \(expert); experts are 0…\(experts - 1)"))
          continue
        }
        copies[expert] += count
        guard count > 1 else { continue }
        let times = count == 2 ? "twice" : "\(count) times"
        found.append(
          Violation(
            layer: layer,
            message:
              "rank \(rank) holds expert \(expert) \(times); a second copy on the same rank is useless",
            isWasteOnly: true))
      }
    }
    for (expert, count) in copies.enumerated() where count == 0 {
      found.append(
        Violation(
          layer: layer,
          message: "expert \(expert) has no slot; its tokens would have no destination"))
    }
    return found
  }

  /// Throws if the plan violates a rule.
  ///
  /// - Parameter allowingWaste: Whether a rank may hold several copies of an expert, as in plans of EPLB.
  /// - Throws: ``PlacementError/illegalPlan(message:)`` with the first violation and the number of
  ///   others.
  public func validate(allowingWaste: Bool = false) throws(PlacementError) {
    let found = violations.filter { !allowingWaste || !$0.isWasteOnly }
    guard let first = found.first else { return }
    let others =
      found.count == 1
      ? "" : " (and \(found.count - 1) more \(found.count == 2 ? "violation" : "violations"))"
    throw .illegalPlan(message: "\(first)\(others)")
  }
}

extension PlacementPlan {
  /// The experts of each layer that are on different ranks in another plan.
  ///
  /// - Throws: ``PlacementError`` when a plan is not legal, or the plans are for different models.
  public func changes(
    to other: PlacementPlan
  ) throws(PlacementError) -> [(layer: Int, moved: [Int])] {
    try validate(allowingWaste: true)
    try other.validate(allowingWaste: true)
    guard layerIDs == other.layerIDs, experts == other.experts else {
      throw .planMismatch(
        message:
          "one has \(layers) layers of \(experts) experts, the other \(other.layers) of \(other.experts), or their layers have other numbers"
      )
    }
    return layerIDs.enumerated().map { index, id in
      let (mine, theirs) = (ranksOfExperts(layer: index), other.ranksOfExperts(layer: index))
      return (id, (0..<experts).filter { mine[$0] != theirs[$0] })
    }
  }
}
