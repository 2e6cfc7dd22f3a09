/// DeepSeek's expert-parallel load balancer, implemented as published, for comparison.
///
/// It considers only loads, and may put two copies of one expert on one rank; ``LoadBalanceSolver``
/// does not. Ties go to the lower index.
///
/// - SeeAlso: [deepseek-ai/EPLB](https://github.com/deepseek-ai/EPLB).
public enum EPLB {
  /// The expert of each physical slot of one layer.
  ///
  /// - Parameters:
  ///   - loads: The load of each expert.
  ///   - slots: The number of physical slots: a multiple of `ranks`, at least the number of
  ///     experts.
  ///   - groups: The number of groups of neighbouring experts; a group stays on one node if `nodes`
  ///     divides it.
  ///   - nodes: Number of nodes.
  ///   - ranks: Number of ranks.
  /// - Returns: `[slots]`, rank by rank.
  /// - Throws: ``PlacementError`` when the numbers do not divide evenly.
  public static func rebalance(
    loads: [Double], slots: Int, groups: Int, nodes: Int, ranks: Int
  ) throws(PlacementError) -> [Int] {
    guard groups >= 1, nodes >= 1, ranks >= 1, !loads.isEmpty, slots >= loads.count,
      slots.isMultiple(of: ranks), loads.count.isMultiple(of: groups), ranks.isMultiple(of: nodes),
      loads.allSatisfy({ $0.isFinite && $0 >= 0 })
    else {
      throw .invalidProblem(
        message:
          "\(loads.count) experts in \(groups) groups and \(slots) slots on \(ranks) ranks of \(nodes) nodes; slots divide by ranks, experts by groups, ranks by nodes"
      )
    }
    return groups.isMultiple(of: nodes)
      ? hierarchical(loads, slots, groups, nodes, ranks)
      : hierarchical(loads, slots, 1, 1, ranks)
  }

  private static func hierarchical(
    _ loads: [Double], _ slots: Int, _ groups: Int, _ nodes: Int, _ ranks: Int
  ) -> [Int] {
    let size = loads.count / groups
    let sums = (0..<groups).map { loads[$0 * size..<($0 + 1) * size].reduce(0, +) }
    let packs = pack(sums, into: nodes)
    var result: [Int] = []
    for node in packs {
      let experts = node.flatMap { Array($0 * size..<($0 + 1) * size) }
      let own = experts.map { loads[$0] }
      let (physical, copies) = replicate(own, slots: slots / nodes)
      let shares = physical.map { own[$0] / Double(copies[$0]) }
      for rank in pack(shares, into: ranks / nodes) {
        result += rank.map { experts[physical[$0]] }
      }
    }
    return result
  }

  /// Assigns items, heaviest first, each to the lightest pack with room; all packs get the same
  /// number.
  private static func pack(_ weights: [Double], into packs: Int) -> [[Int]] {
    let room = weights.count / packs
    if room == 1 { return weights.indices.map { [$0] } }
    var (result, sums) = (
      [[Int]](repeating: [], count: packs), [Double](repeating: 0, count: packs)
    )
    for item in weights.indices.sorted(by: { (-weights[$0], $0) < (-weights[$1], $1) }) {
      var lightest = -1
      for pack in 0..<packs where result[pack].count < room {
        if lightest < 0 || sums[pack] < sums[lightest] { lightest = pack }
      }
      result[lightest].append(item)
      sums[lightest] += weights[item]
    }
    return result
  }

  /// Gives each additional slot to the expert with the highest load per copy.
  private static func replicate(_ loads: [Double], slots: Int) -> (physical: [Int], copies: [Int]) {
    var physical = Array(loads.indices)
    var copies = [Int](repeating: 1, count: loads.count)
    while physical.count < slots {
      var busiest = 0
      for expert in loads.indices
      where loads[expert] / Double(copies[expert]) > loads[busiest] / Double(copies[busiest]) {
        busiest = expert
      }
      physical.append(busiest)
      copies[busiest] += 1
    }
    return (physical, copies)
  }
}
