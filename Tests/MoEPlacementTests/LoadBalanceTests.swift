import MoECore
import MoEPlacement
import Testing

@Suite("Load balance")
struct LoadBalanceTests {
  static let golden: [[Double]] = [
    [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
    [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
  ]

  @Test("as EPLB does it gives its published example")
  func goldenVector() throws {
    let expected = [
      [5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1],
      [7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1],
    ]
    for (loads, slots) in zip(Self.golden, expected) {
      #expect(try EPLB.rebalance(loads: loads, slots: 16, groups: 4, nodes: 2, ranks: 8) == slots)
    }
  }

  @Test("is never worse than EPLB's, and never puts copies together", arguments: 0..<8)
  func beatsEPLB(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let (experts, ranks, replicas) = [(16, 4, 0), (32, 8, 8), (64, 8, 16), (12, 6, 6)][
      Int(seed % 4)]
    let loads = (0..<3).map { _ in
      (0..<experts).map { _ in
        let draw = Double.random(in: 0..<1, using: &generator)
        return (1000 * draw * draw * draw).rounded()
      }
    }
    let problem = try PlacementProblem(
      loads: loads,
      transitions: Array(repeating: Array(repeating: 1, count: experts * experts), count: 2),
      topology: PlacementTopology(nodes: 2, ranksPerNode: ranks / 2), replicas: replicas)
    let answer = try LoadBalanceSolver().solve(problem)
    #expect(answer.plan.violations.isEmpty)
    for layer in 0..<3 {
      for groups in [1, 2] {
        let slots = try EPLB.rebalance(
          loads: loads[layer], slots: experts + replicas, groups: groups, nodes: groups,
          ranks: ranks)
        var copies = [Double](repeating: 0, count: experts)
        for expert in slots { copies[expert] += 1 }
        var sums = [Double](repeating: 0, count: ranks)
        for (slot, expert) in slots.enumerated() {
          sums[slot / (slots.count / ranks)] += loads[layer][expert] / copies[expert]
        }
        let mean = loads[layer].reduce(0, +) / Double(ranks)
        #expect(answer.evaluation.balance[layer] <= (sums.max() ?? 0) / mean + 1e-9)
      }
    }
  }

  @Test("refuses numbers that do not divide")
  func refusals() {
    #expect(throws: PlacementError.self) {
      try EPLB.rebalance(loads: [1, 2, 3], slots: 4, groups: 2, nodes: 1, ranks: 2)
    }
    #expect(throws: PlacementError.self) {
      try EPLB.rebalance(loads: [1, 2, 3], slots: 2, groups: 1, nodes: 1, ranks: 2)
    }
  }
}
