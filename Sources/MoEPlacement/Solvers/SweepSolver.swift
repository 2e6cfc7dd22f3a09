import MoECore

/// Improves many initial plans layer by layer, combines their best layers, and anneals the result.
///
/// Each layer is reassigned optimally given its neighbours, forwards and backwards, until nothing
/// changes. Initial plans are the linear plan and chains from random first layers. Dynamic
/// programming over the layers combines the best solutions; annealing by exchanges and another
/// combination follow.
public struct SweepSolver: PlacementSolver {
  /// `sweep`.
  public let name = "sweep"
  /// The seed of the random numbers.
  public var seed: UInt64
  /// The time limit in seconds; if it is reached, the plan depends on the machine.
  public var timeLimit: Double

  /// Creates the solver.
  public init(seed: UInt64 = 0, timeLimit: Double = .infinity) {
    (self.seed, self.timeLimit) = (seed, timeLimit)
  }

  /// Runs the search.
  public func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    let start = ContinuousClock.now
    let partition = problem.partition()
    var starts: [[[Int]]] = []
    if partition.hasLoads {
      starts.append(LoadBalanceSolver.places(problem, partition, groups: problem.copies()))
    }
    let places = search(partition, starts: starts)
    return try PlacementFinding(
      name, problem.plan(places, of: partition), of: problem, since: start)
  }

  /// The best places found for a partition.
  func search(_ partition: Partition, starts: [[[Int]]] = []) -> [[Int]] {
    let deadline = Deadline(seconds: timeLimit)
    let sweep = PartitionSweep(partition: partition)
    let effort = SweepEffort(partition)
    var generator = SeededGenerator(seed: seed)
    var pool = SolutionPool(partition, size: effort.pool)
    let linear = (0..<partition.layers).map { partition.contiguous(layer: $0) }
    pool.add(settled(linear, sweep, deadline))
    pool.add(settled(sweep.chain(first: linear[0]), sweep, deadline))
    for places in starts {
      pool.add(places)
      pool.add(settled(places, sweep, deadline))
    }
    for _ in 0..<effort.starts where !deadline.isOver {
      let first = partition.shuffled(layer: 0, using: &generator)
      pool.add(settled(sweep.chain(first: first), sweep, deadline))
    }
    combine(&pool, sweep, deadline)
    for (round, warmth) in effort.warmths.enumerated() where !deadline.isOver {
      var state = PartitionState(
        partition, places: pool.solutions[min(round % 2, pool.solutions.count - 1)])
      sweep.anneal(
        &state, proposals: effort.proposals, warmth: warmth, using: &generator, deadline: deadline)
      sweep.settle(&state, deadline: deadline)
      pool.add(state.places)
    }
    combine(&pool, sweep, deadline)
    return pool.solutions[0]
  }

  private func settled(_ places: [[Int]], _ sweep: PartitionSweep, _ deadline: Deadline) -> [[Int]]
  {
    var state = PartitionState(sweep.partition, places: places)
    sweep.settle(&state, deadline: deadline)
    return state.places
  }

  private func combine(_ pool: inout SolutionPool, _ sweep: PartitionSweep, _ deadline: Deadline) {
    for _ in 0..<3 where !deadline.isOver {
      let before = pool.scores[0]
      guard let places = sweep.combined(pool.solutions) else { return }
      pool.add(settled(places, sweep, deadline))
      guard pool.scores[0] > before else { return }
    }
  }
}

/// The search effort, which depends only on the size of the problem, so that plans are
/// reproducible.
private struct SweepEffort {
  let starts: Int
  let pool: Int
  let proposals: Int
  let warmths: [Double]

  init(_ partition: Partition) {
    let cells = partition.layers * partition.items * partition.items
    starts = min(40, max(4, 800_000 / max(1, cells)))
    pool = cells > 1_000_000 ? 4 : cells > 20_000 ? 8 : 16
    // Large problems benefit from one long cooling, small ones from several short ones.
    let isLarge = cells > 20_000
    let length = partition.layers * partition.items * (isLarge ? 1600 : 400)
    proposals = min(30_000_000, max(20_000, length))
    // With few experts there are few exchanges, and one cooling easily misses the best plan.
    let round = [0.5, 0.3, 0.5, 0.2]
    warmths = isLarge ? [0.25] : cells <= 1_000 ? round + [1, 1, 2, 2] + round : round
  }
}

/// The best solutions found so far, best first, all different.
struct SolutionPool {
  private let partition: Partition
  private let size: Int
  private(set) var solutions: [[[Int]]] = []
  private(set) var scores: [Double] = []

  init(_ partition: Partition, size: Int) { (self.partition, self.size) = (partition, size) }

  mutating func add(_ places: [[Int]]) {
    guard !solutions.contains(places) else { return }
    let score = partition.score(places)
    let place = scores.firstIndex { $0 < score } ?? scores.count
    guard place < size else { return }
    solutions.insert(places, at: place)
    scores.insert(score, at: place)
    if solutions.count > size {
      solutions.removeLast()
      scores.removeLast()
    }
  }
}

extension PlacementMethod {
  /// ``SweepSolver``.
  public static let sweep = PlacementMethod(
    "sweep", help: "improves many starts layer by layer"
  ) { settings in
    SweepSolver(seed: settings.seed, timeLimit: settings.limit)
  }
}
