import MoECore
import MoEPlacement

/// How long plans for large models take; compare them with `switchyard place --method milp`.
enum PlacementMeasurements {
  /// Prints the time of a search, and of the bound, for models of the target sizes.
  static func measure() throws {
    for (layers, experts, k, nodes, ranks, limit) in [
      (24, 64, 6, 1, 8, 1), (58, 256, 8, 4, 32, 60),
    ] {
      let problem = try generated(
        layers: layers, experts: experts, k: k, nodes: nodes, ranks: ranks)
      let finding = try SweepSolver().search(problem)
      let clock = ContinuousClock()
      let (start, bounds) = (clock.now, PlacementBound(problem))
      let time = clock.now - start
      let total = problem.transitions.reduce(0) { $0 + $1.reduce(0, +) }
      print(
        "placement of \(layers) layers × \(experts) experts, top-\(k), on \(ranks) ranks: plan in \(finding.seconds) s (target: \(limit) s), keeps \(share(finding.evaluation.kept / total)); bound in \(time), no plan keeps more than \(share(bounds.objective / total))"
      )
    }
  }

  private static func share(_ value: Double) -> String { "\((value * 1000).rounded() / 10) %" }

  /// Tokens of 64 topics, whose experts in each layer have the highest noisy scores of their topic.
  private static func generated(
    layers: Int, experts: Int, k: Int, nodes: Int, ranks: Int
  ) throws -> PlacementProblem {
    let (topics, tokens) = (64, 10_000)
    var generator = SeededGenerator(seed: 1)
    func noise() -> Double {
      (0..<4).reduce(0) { sum, _ in sum + Double.random(in: -1...1, using: &generator) }
    }
    let likings = (0..<layers).map { _ in
      (0..<topics).map { _ in (0..<experts).map { _ in noise() } }
    }
    var loads = Array(repeating: Array(repeating: 0.0, count: experts), count: layers)
    var transitions = Array(
      repeating: Array(repeating: 0.0, count: experts * experts), count: layers - 1)
    for token in 0..<tokens {
      var before: [Int] = []
      for layer in 0..<layers {
        let scores = likings[layer][token % topics].map {
          $0 + Double.random(in: -1...1, using: &generator)
        }
        let chosen = scores.indices.sorted { scores[$0] > scores[$1] }.prefix(k)
        for p in chosen {
          loads[layer][p] += 1
          for i in before { transitions[layer - 1][i * experts + p] += 1 / Double(k * k) }
        }
        before = Array(chosen)
      }
    }
    return try PlacementProblem(
      loads: loads, transitions: transitions,
      topology: PlacementTopology(nodes: nodes, ranksPerNode: ranks / nodes))
  }
}
