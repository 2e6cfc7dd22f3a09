/// Solves placement as an integer program with HiGHS.
///
/// Binary `x[p, i, j]` says that expert `i` of layer `j` is on rank `p`:
///
///     Σ_i x[p, i, j] = slots,  Σ_p x[p, i, j] = 1
///
/// and one of three formulations counts crossings:
///
/// - *tokens*, as the paper does: `R[k, j]` per token and layer, `R ≥ x[p, i, j] − x[p, i', j + 1]`
///   for all `p`, and vice versa, where `i`, `i'` are the token's experts;
/// - *aggregated*: one such variable per pair of experts, weighted by its count;
/// - *strengthened*: kept transitions `z[p, i, i', j] ≤ x[p, i, j]`, `≤ x[p, i', j + 1]`, with the
///   balance rows multiplied in: `Σ_i' z = slots · x[p, i, j]` and
///   `Σ_i z = slots · x[p, i', j + 1]`.
///
/// The first two have a vacuous relaxation (all `x = 1 / ranks` costs nothing), so their bounds
/// hardly improve.
public struct IntegerProgramSolver: PlacementSolver {
  /// How crossings are counted.
  public enum Form: String, CaseIterable, Codable, Sendable {
    /// One variable per token and layer.
    case tokens
    /// One variable per pair of experts.
    case aggregated
    /// Linearised products, strengthened by multiplying the balance rows in.
    case strengthened
  }

  /// `milp`.
  public let name = "milp"
  /// How crossings are counted.
  public var form: Form
  /// The time limit in seconds.
  public var timeLimit: Double
  /// Whether the search starts from the plan of ``SweepSolver``.
  public var warmStart: Bool

  /// The most variables of a program.
  public static let variableLimit = 2_000_000

  /// Creates the solver.
  ///
  /// - Precondition: The time limit is above 0.
  public init(form: Form = .strengthened, timeLimit: Double = 60, warmStart: Bool = true) {
    precondition(timeLimit > 0, "\(timeLimit) s")
    (self.form, self.timeLimit, self.warmStart) = (form, timeLimit, warmStart)
  }

  /// Solves the program.
  public func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    let start = ContinuousClock.now
    try refuse(problem)
    let partition = problem.partition()
    var builder = PlacementProgram(problem, form)
    builder.build()
    var values: [Double]?
    if warmStart {
      let places = SweepSolver().search(partition)
      values = builder.values(of: places)
    }
    let solution = try HiGHSSolver(timeLimit: timeLimit).solve(builder.program, start: values)
    let places = builder.places(in: solution.values)
    let known = builder.constant - solution.bound
    return try PlacementFinding(
      name, problem.plan(places, of: partition), of: problem, since: start,
      knownBound: known + 1e-6 * max(1, known.magnitude), isOptimal: solution.isOptimal)
  }

  private func refuse(_ problem: PlacementProblem) throws(PlacementError) {
    let feature =
      problem.replicas > 0
      ? "replicas"
      : problem.topology.valueOfNode > 0
        ? "costs that differ within and between nodes"
        : problem.imbalanceWeight > 0 ? "a weight of imbalance" : nil
    if let feature { throw .unsupported(method: name, feature: feature, instead: "sweep or auto") }
    if form == .tokens {
      let isWhole = problem.transitions.allSatisfy { $0.allSatisfy { $0 == $0.rounded() } }
      guard isWhole else {
        throw .unsupported(
          method: "the token form", feature: "counts that are not integers",
          instead: "the aggregated or the strengthened form, or the first expert of each token")
      }
    }
    let variables = PlacementProgram.variables(problem, form)
    guard variables <= Double(Self.variableLimit) else {
      throw .tooLarge(
        method: "milp", size: "a program of \(variables) variables",
        bound: "\(Self.variableLimit) variables")
    }
  }
}

/// The integer program of a problem.
struct PlacementProgram {
  private let problem: PlacementProblem
  private let form: IntegerProgramSolver.Form
  private(set) var program = IntegerProgram()
  /// The pairs that the variables after the `x` stand for: layer, experts, and rank or −1.
  private var pairs: [(layer: Int, i: Int, p: Int, rank: Int)] = []
  /// The objective to maximise is this constant minus the program's objective.
  private(set) var constant = 0.0

  init(_ problem: PlacementProblem, _ form: IntegerProgramSolver.Form) {
    (self.problem, self.form) = (problem, form)
  }

  static func variables(_ problem: PlacementProblem, _ form: IntegerProgramSolver.Form) -> Double {
    let places = Double(problem.layers * problem.experts * problem.topology.ranks)
    switch form {
    case .tokens: return places + problem.totalTransitions
    case .aggregated:
      return places + problem.transitions.reduce(0) { $0 + Double($1.count { $0 > 0 }) }
    case .strengthened:
      return places
        + Double((problem.layers - 1) * problem.experts * problem.experts * problem.topology.ranks)
    }
  }

  private func x(_ rank: Int, _ expert: Int, _ layer: Int) -> Int {
    (layer * problem.experts + expert) * problem.topology.ranks + rank
  }

  mutating func build() {
    addPlaces()
    for layer in 0..<problem.layers - 1 {
      switch form {
      case .tokens, .aggregated: addCrossings(layer)
      case .strengthened: addProducts(layer)
      }
    }
    constant = form == .strengthened ? 0 : problem.totalTransitions
  }

  private mutating func addPlaces() {
    let (ranks, slots) = (problem.topology.ranks, Double(problem.slotsPerRank))
    for layer in 0..<problem.layers {
      for expert in 0..<problem.experts {
        for _ in 0..<ranks {
          _ = program.add(.init(bounds: 0...1, cost: 0, isInteger: true))
        }
        let terms = (0..<ranks).map { IntegerProgram.Term(x($0, expert, layer), 1) }
        program.constraints.append(.init(terms, in: 1...1))
      }
      for rank in 0..<ranks {
        let terms = (0..<problem.experts).map { IntegerProgram.Term(x(rank, $0, layer), 1) }
        program.constraints.append(.init(terms, in: slots...slots))
        guard let limit = problem.balanceLimit else { continue }
        let loads = problem.loads[layer]
        let most = limit * loads.reduce(0, +) / Double(ranks)
        let weighted = loads.indices.map { IntegerProgram.Term(x(rank, $0, layer), loads[$0]) }
        program.constraints.append(.init(weighted, in: 0...max(0, most)))
      }
    }
  }

  private mutating func addCrossings(_ layer: Int) {
    let experts = problem.experts
    for i in 0..<experts {
      for p in 0..<experts {
        let count = problem.transitions[layer][i * experts + p]
        guard count > 0 else { continue }
        let times = form == .tokens ? Int(count) : 1
        for _ in 0..<times {
          let crossing = program.add(
            .init(bounds: 0...1, cost: count / Double(times), isInteger: false))
          pairs.append((layer, i, p, -1))
          for rank in 0..<problem.topology.ranks {
            for sign in [1.0, -1.0] {
              program.constraints.append(
                .init(
                  [
                    .init(crossing, 1), .init(x(rank, i, layer), -sign),
                    .init(x(rank, p, layer + 1), sign),
                  ], in: 0...Double.infinity))
            }
          }
        }
      }
    }
  }

  private mutating func addProducts(_ layer: Int) {
    let (experts, slots) = (problem.experts, Double(problem.slotsPerRank))
    for rank in 0..<problem.topology.ranks {
      var products: [[Int]] = []
      for i in 0..<experts {
        products.append(
          (0..<experts).map { p in
            let count = problem.transitions[layer][i * experts + p]
            pairs.append((layer, i, p, rank))
            return program.add(.init(bounds: 0...1, cost: -count, isInteger: false))
          })
      }
      for i in 0..<experts {
        for p in 0..<experts {
          for place in [x(rank, i, layer), x(rank, p, layer + 1)] {
            program.constraints.append(
              .init([.init(products[i][p], 1), .init(place, -1)], in: -Double.infinity...0))
          }
        }
        program.constraints.append(
          .init(products[i].map { .init($0, 1) } + [.init(x(rank, i, layer), -slots)], in: 0...0))
        let column = products.map { IntegerProgram.Term($0[i], 1) }
        program.constraints.append(
          .init(column + [.init(x(rank, i, layer + 1), -slots)], in: 0...0))
      }
    }
  }

  /// The values of all variables for given places.
  func values(of places: [[Int]]) -> [Double] {
    var values = [Double](repeating: 0, count: program.variables.count)
    for (layer, row) in places.enumerated() {
      for (expert, rank) in row.enumerated() { values[x(rank, expert, layer)] = 1 }
    }
    let first = problem.layers * problem.experts * problem.topology.ranks
    for (index, pair) in pairs.enumerated() {
      let (from, to) = (places[pair.layer][pair.i], places[pair.layer + 1][pair.p])
      let isTrue = pair.rank < 0 ? from != to : from == to && from == pair.rank
      values[first + index] = isTrue ? 1 : 0
    }
    return values
  }

  func places(in values: [Double]) -> [[Int]] {
    (0..<problem.layers).map { layer in
      (0..<problem.experts).map { expert in
        (0..<problem.topology.ranks).max {
          values[x($0, expert, layer)] < values[x($1, expert, layer)]
        } ?? 0
      }
    }
  }
}

extension PlacementMethod {
  /// ``IntegerProgramSolver``.
  public static let milp = PlacementMethod(
    "milp", help: "an integer program; 60 seconds unless the time limit says otherwise"
  ) { settings in
    IntegerProgramSolver(form: settings.form, timeLimit: settings.timeLimit ?? 60)
  }
}
