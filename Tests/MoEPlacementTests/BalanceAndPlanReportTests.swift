import MoECore
import MoEPlacement
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("Plans of loads alone")
struct BalanceReportTests {
  private func counts(_ loads: [[Int]]) -> RoutingCounts {
    RoutingCounts(
      layers: Array(1...loads.count), expertCount: loads[0].count, k: nil, tokenCount: nil,
      loads: loads, firstLoads: [], weightedLoads: [])
  }

  @Test("are at least as even as EPLB's published example, and name what cannot be known")
  func eplb() throws {
    let loads = [
      [90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86],
      [20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27],
    ]
    let problem = try PlacementProblem(
      loadsOf: counts(loads), topology: PlacementTopology(nodes: 2, ranksPerNode: 4), replicas: 4)
    for name in ["auto", "eplb"] {
      let method = try #require(PlacementMethods.registry[name])
      let (report, plan) = try BalanceReport.solving(counts(loads), problem, method: method)
      #expect(report.method == "eplb" && plan.violations.isEmpty && plan.layerIDs == [1, 2])
      for layer in 0..<2 {
        let slots = try EPLB.rebalance(
          loads: loads[layer].map(Double.init), slots: 16, groups: 1, nodes: 1, ranks: 8)
        var copies = [Double](repeating: 0, count: 12)
        for expert in slots { copies[expert] += 1 }
        let sums = (0..<8).map { rank in
          slots[2 * rank..<2 * rank + 2].reduce(0) { $0 + Double(loads[layer][$1]) / copies[$1] }
        }
        let mean = Double(loads[layer].reduce(0, +)) / 8
        #expect(report.balance[layer] <= (sums.max() ?? 0) / mean + 1e-9)
        #expect(report.balance[layer] >= report.lowestBalance[layer] - 1e-9)
        #expect(report.balance[layer] < report.linearBalance[layer])
      }
    }
    #expect {
      try BalanceReport.solving(counts(loads), problem, method: .sweep)
    } throws: { "\($0)".contains("loads alone") }
  }

  @Test("are found by auto where no plan saves crossings, with and without a weight of imbalance")
  func ties() throws {
    let two = try PlacementTopology(ranksPerNode: 2)
    for weight in [0, 1.0] {
      // A single layer has no transitions.
      let single = try PlacementProblem(
        loads: [[8, 7, 1, 0]], transitions: [], topology: two, imbalanceWeight: weight)
      #expect(try AutomaticSolver().search(single).evaluation.balance == [1])
      // Every transition is as frequent as any other.
      let even = try PlacementProblem(
        loads: [[8, 7, 1, 0], [8, 7, 1, 0]], transitions: [Array(repeating: 1, count: 16)],
        topology: two, imbalanceWeight: weight)
      #expect(try AutomaticSolver().search(even).evaluation.balance == [1, 1])
    }
  }

  @Test("settings far outside of what matters are refused")
  func settings() throws {
    let two = try PlacementTopology(ranksPerNode: 2)
    for weight in [1e18, .infinity, .nan, -1] {
      #expect(throws: PlacementError.self) {
        try PlacementProblem(
          loads: [[1, 1]], transitions: [], topology: two, imbalanceWeight: weight)
      }
    }
    #expect(throws: PlacementError.self) {
      try PlacementTopology(nodes: 2, ranksPerNode: 2, costBetweenNodes: 1e300)
    }
  }
}

@Suite("Existing plans on other tokens")
struct PlanReportTests {
  private func trace(
    _ experts: [UInt16], layers: [Int], in folder: TemporaryFolder
  ) throws
    -> RoutingTrace
  {
    let writer = try RoutingTraceWriter(
      .init(layers: layers, experts: 4, k: 1), to: folder.file("t"))
    try writer.append(experts: experts)
    try writer.finish()
    return try RoutingTrace(folder.file("t"))
  }

  @Test("are judged by hand-counted crossings and loads")
  func counted() throws {
    let folder = try TemporaryFolder()
    // Three tokens: 0 to 1, 0 to 2, 3 to 2.
    let trace = try trace([0, 1, 0, 2, 3, 2], layers: [1, 2], in: folder)
    // Layer 0 is dense; experts 4 and 5 were not seen.
    let plan = PlacementPlan(
      layerIDs: [0, 1, 2], experts: 6, ranks: 2,
      slots: [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], [2, 4, 5, 0, 1, 3]])
    let report = try PlanReport(plan, on: .trace(trace))
    #expect(report.tokens == 3 && report.layers == 2 && report.plan.transitions == 3)
    // 0 is on rank 0, 1 on rank 1, 2 on rank 0, 3 on rank 1: only the second token stays.
    #expect(report.plan.sameRank == 1)
    #expect(report.plan.balance == [2.0 / 1.5, 2.0 / 1.5])
    let counts = try RoutingCounts(trace, tables: [])
    let loads = try PlanReport(plan, on: .counts(counts))
    #expect(loads.plan.transitions == 0 && loads.plan.balance == report.plan.balance)
  }

  @Test("may hold an expert twice on a rank, as EPLB's do, but must have every layer and expert")
  func wasteful() throws {
    let folder = try TemporaryFolder()
    let trace = try trace([0, 1, 0, 2, 3, 2], layers: [0, 1], in: folder)
    let plan = PlacementPlan(
      layerIDs: [0, 1], experts: 4, ranks: 2, slots: [[0, 0, 1, 2, 3, 3], [0, 1, 0, 2, 3, 1]])
    #expect(plan.violations.allSatisfy(\.isWasteOnly) && plan.violations.count == 3)
    #expect(throws: PlacementError.self) { try plan.validate() }
    let report = try PlanReport(plan, on: .trace(trace))
    // Expert 0 is on rank 0; expert 1 of the next layer half on each; expert 2 on rank 1.
    #expect(report.plan.sameRank == 0.5 + 0 + 1)
    let path = folder.file("plan.json")
    for format in [PlanFormat.plan, .sglang, .ascend, .tensorrt] {
      try plan.write(to: path, as: format)
      let read = try PlacementPlan(contentsOf: path, as: format, hints: PlanHints(ranks: 2))
      #expect(read == plan)
    }
    let other = PlacementPlan(layerIDs: [0], experts: 4, ranks: 2, slots: [[0, 1, 2, 3]])
    #expect { try PlanReport(other, on: .trace(trace)) } throws: { "\($0)".contains("no layer 1") }
    let small = PlacementPlan(layerIDs: [0, 1], experts: 2, ranks: 2, slots: [[0, 1], [0, 1]])
    #expect {
      try PlanReport(small, on: .trace(trace))
    } throws: { "\($0)".contains("chose from 4") }
  }
}
