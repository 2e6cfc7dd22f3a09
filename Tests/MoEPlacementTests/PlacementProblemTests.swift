import MoEPlacement
import Testing

@Suite("Placement problems")
struct PlacementProblemTests {
  @Test("reject invalid input, each with its reason")
  func refusals() throws {
    let two = try PlacementTopology(ranksPerNode: 2)
    let loads: [[Double]] = [[1, 1, 1], [1, 1, 1]]
    let table = [Double](repeating: 1, count: 9)
    #expect(throws: PlacementError.unevenSlots(experts: 3, replicas: 0, ranks: 2)) {
      try PlacementProblem(loads: loads, transitions: [table], topology: two)
    }
    let cases: [() throws -> PlacementProblem] = [
      { try PlacementProblem(loads: [], transitions: [], topology: two) },
      { try PlacementProblem(loads: loads, transitions: [], topology: two, replicas: 1) },
      { try PlacementProblem(loads: loads, transitions: [[1]], topology: two, replicas: 1) },
      { try PlacementProblem(loads: [[1, 1], [1]], transitions: [[1, 1, 1, 1]], topology: two) },
      { try PlacementProblem(loads: [[1, .nan]], transitions: [], topology: two) },
      { try PlacementProblem(loads: [[1, -1]], transitions: [], topology: two) },
      {
        try PlacementProblem(layerIDs: [3, 3], loads: loads, transitions: [table], topology: two)
      },
      { try PlacementProblem(loads: [[1, 1]], transitions: [], topology: two, replicas: 4) },
      { try PlacementProblem(loads: [[1, 1]], transitions: [], topology: two, replicas: -2) },
      { try PlacementProblem(loads: [[1, 1]], transitions: [], topology: two, balanceLimit: 0.5) },
      {
        try PlacementProblem(
          loads: [[1, 1]], transitions: [], topology: two, imbalanceWeight: .nan)
      },
    ]
    for make in cases { #expect(throws: PlacementError.self) { try make() } }
    #expect(throws: PlacementError.impossibleBalance(limit: 1.1, layer: 7, lowest: 1.5)) {
      try PlacementProblem(
        layerIDs: [7], loads: [[3, 1]], transitions: [], topology: two, balanceLimit: 1.1)
    }
    for make in [
      { try PlacementTopology(ranksPerNode: 0) },
      { try PlacementTopology(nodes: 1 << 40, ranksPerNode: 1 << 40) },
      { try PlacementTopology(ranksPerNode: 2, costWithinNode: 2, costBetweenNodes: 1) },
      { try PlacementTopology(ranksPerNode: 2, costWithinNode: 0) },
    ] {
      #expect(throws: PlacementError.self) { try make() }
    }
  }

  @Test("count what tokens do, one by one", arguments: 0..<5)
  func tokenIdentity(seed: UInt64) throws {
    let traffic = SyntheticTraffic(layers: 5, experts: 8, tokens: 200, seed: seed)
    let problem = try traffic.problem(nodes: 2, ranks: 4, costBetweenNodes: 5)
    let answer = try RandomSolver(seed: seed).solve(problem)
    let places = (0..<5).map { answer.plan.ranksOfExperts(layer: $0).map { $0[0] } }
    var (same, node) = (0, 0)
    for path in traffic.paths {
      for layer in 0..<4 {
        let (a, b) = (places[layer][path[layer]], places[layer + 1][path[layer + 1]])
        if a == b { same += 1 } else if a / 2 == b / 2 { node += 1 }
      }
    }
    let found = answer.evaluation
    #expect(found.sameRank == Double(same) && found.sameNode == Double(node))
    #expect(found.otherNode == Double(800 - same - node))
    #expect(abs(found.cost - Double(node) - 5 * found.otherNode) < 1e-6)
  }

  @Test("keep 1 of R transitions of uniform tokens in linear plans, within 3 standard deviations")
  func uniform() throws {
    let traffic = SyntheticTraffic(layers: 9, experts: 16, tokens: 5000, affinity: 0, seed: 11)
    let found = try LinearSolver().solve(traffic.problem(ranks: 4)).evaluation
    let deviation = (0.25 * 0.75 / found.transitions).squareRoot()
    #expect(abs(found.crossingShare - 0.75) <= 3 * deviation)
  }

  @Test("share tokens of replicas evenly, staying where that allows")
  func replicas() throws {
    // Two experts, both on both ranks: every token stays.
    let two = try PlacementTopology(ranksPerNode: 2)
    let problem = try PlacementProblem(
      loads: [[4, 4], [4, 4]], transitions: [[1, 3, 2, 2]], topology: two, replicas: 2)
    let everywhere = PlacementPlan(
      layerIDs: [0, 1], experts: 2, ranks: 2, slots: [[0, 1, 0, 1], [1, 0, 0, 1]])
    #expect(try PlacementEvaluation(everywhere, of: problem).sameRank == 8)
    // Expert 0 on ranks 0 and 1, expert 1 and 2 on one each: half of a token's transitions from 0
    // stay.
    let three = try PlacementProblem(
      loads: [[4, 2, 2], [4, 2, 2]], transitions: [[0, 4, 0, 0, 0, 0, 0, 0, 0]], topology: two,
      replicas: 1)
    let split = PlacementPlan(
      layerIDs: [0, 1], experts: 3, ranks: 2, slots: [[0, 1, 0, 2], [0, 1, 0, 2]])
    let found = try PlacementEvaluation(split, of: three)
    #expect(found.sameRank == 2 && found.balance == [1, 1])
  }
}

@Suite("Placement plans")
struct PlacementPlanTests {
  private func faults(_ slots: [[Int]], experts: Int = 4, ranks: Int = 2) -> [String] {
    PlacementPlan(
      layerIDs: Array(slots.indices), experts: experts, ranks: ranks, slots: slots
    ).violations.map(\.message)
  }

  @Test("are legal only if every expert is placed and no rank holds it twice")
  func violations() {
    #expect(faults([[0, 1, 2, 3]]).isEmpty)
    #expect(faults([[0, 1, 2, 2]]).count == 2)
    #expect(faults([[0, 1, 2, 4]]).count == 2)
    #expect(faults([[0, 1, 2, -1]]).count == 2)
    #expect(
      faults([[0, 1, 0, 2, 3, 1]]) == [
        "rank 0 holds expert 0 twice; a second copy on the same rank is useless"
      ])
    #expect(
      faults([[0, 0, 0, 0, 1, 2, 3, 0]]) == [
        "rank 0 holds expert 0 4 times; a second copy on the same rank is useless"
      ])
    #expect(faults([[0, 1, 2]]).count == 1)
    #expect(faults([[0, 1, 2, 3], [0, 1, 2, 3, 0, 1]]).count == 1)
    #expect(faults([]).count == 1)
    #expect(faults([[0, 1, 2, 3]], ranks: 0).count == 1)
    #expect(faults([[]]).count == 1)
  }
}
