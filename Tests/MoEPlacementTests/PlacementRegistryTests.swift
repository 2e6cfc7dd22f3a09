import Foundation
import MoECore
import MoEPlacement
import MoETestSupport
import Testing

/// Keeps the experts in order, like the linear plan, under a different name.
private struct OrderSolver: PlacementSolver {
  let name = "order-of-a-test"

  func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    let start = ContinuousClock.now
    let row = Array(0..<problem.experts)
    let plan = PlacementPlan(
      layerIDs: problem.layerIDs, experts: problem.experts, ranks: problem.topology.ranks,
      slots: Array(repeating: row, count: problem.layers))
    return try PlacementFinding(name, plan, of: problem, since: start)
  }
}

@Suite("Registries of placement")
struct PlacementRegistryTests {
  @Test("take a solver from outside the library")
  func solver() throws {
    PlacementMethods.registry.register(
      PlacementMethod("order-of-a-test", help: "experts in order") { _ in OrderSolver() })
    let method = try #require(PlacementMethods.registry["order-of-a-test"])
    let problem = try SyntheticTraffic(layers: 3, experts: 4, tokens: 50, seed: 1).problem(ranks: 2)
    let answer = try method.solver(PlacementMethod.Settings()).solve(problem)
    #expect(answer.plan.violations.isEmpty && answer.finding.method == "order-of-a-test")
    #expect(try answer.evaluation == LinearSolver().solve(problem).evaluation)
  }

  @Test("take a plan format from outside the library")
  func format() throws {
    PlanFormats.registry.register(
      PlanFormat(
        "digits-of-a-test", help: "one digit per slot, a line per layer",
        text: { plan, _ in
          plan.slots.map { $0.map(String.init).joined() }.joined(separator: "\n")
        },
        plan: { bytes, hints in
          let rows = bytes.split(separator: UInt8(ascii: "\n")).map { $0.map { Int($0) - 48 } }
          guard let first = rows.first, rows.joined().allSatisfy({ 0..<10 ~= $0 }) else {
            throw PlanRefusal("it holds something that is not a digit")
          }
          return PlacementPlan(
            layerIDs: hints.layerIDs ?? Array(rows.indices), experts: hints.experts ?? first.count,
            ranks: hints.ranks ?? 1, nodes: hints.nodes, slots: rows)
        }))
    let format = try #require(PlanFormats.registry["digits-of-a-test"])
    let plan = PlacementPlan(
      layerIDs: [0, 1], experts: 4, ranks: 2, slots: [[0, 2, 1, 3], [3, 1, 0, 2]])
    let folder = try TemporaryFolder()
    let path = folder.file("plan.digits")
    try plan.write(to: path, as: format)
    #expect(try readBytes(path) == Array("0213\n3102".utf8))
    let hints = PlanHints(ranks: 2, experts: 4)
    #expect(try PlacementPlan(contentsOf: path, as: format, hints: hints) == plan)
    let bad = try folder.write(Array("12x".utf8), to: "bad.digits")
    #expect {
      try PlacementPlan(contentsOf: bad, as: format)
    } throws: { "\($0)" == "\(bad): it holds something that is not a digit" }
  }
}
