import MoECore
import MoEPlacement
import Testing

@Suite("Integer programs")
struct HiGHSSolverTests {
  /// A knapsack: the most value within a weight limit.
  private func knapsack(values: [Double], weights: [Double], limit: Double) -> IntegerProgram {
    var program = IntegerProgram()
    let items = values.map { program.add(.init(bounds: 0...1, cost: -$0, isInteger: true)) }
    program.constraints = [.init(zip(items, weights).map { .init($0, $1) }, in: 0...limit)]
    return program
  }

  @Test("are solved as well as by brute force", arguments: 0..<10)
  func matchesExhaustiveSearch(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let values = (0..<9).map { _ in Double(Int.random(in: 1...50, using: &generator)) }
    let weights = (0..<9).map { _ in Double(Int.random(in: 1...20, using: &generator)) }
    let best = (0..<512).compactMap { mask -> Double? in
      let chosen = (0..<9).filter { mask >> $0 & 1 == 1 }
      let weight = chosen.reduce(0) { $0 + weights[$1] }
      return weight <= 40 ? chosen.reduce(0) { $0 + values[$1] } : nil
    }.max()
    let solution = try HiGHSSolver().solve(knapsack(values: values, weights: weights, limit: 40))
    #expect(abs(-solution.objective - (best ?? 0)) < 1e-6)
    #expect(solution.isOptimal && solution.bound <= solution.objective + 1e-6)
    #expect(solution.values.allSatisfy { abs($0 - $0.rounded()) < 1e-6 })
  }

  @Test("without integer variables are linear programs")
  func linear() throws {
    var program = IntegerProgram()
    let x = program.add(.init(bounds: 0...Double.infinity, cost: 1, isInteger: false))
    let y = program.add(.init(bounds: 0...Double.infinity, cost: 2, isInteger: false))
    program.constraints = [
      .init([.init(x, 1), .init(y, 1)], in: 3...Double.infinity), .init([.init(x, 1)], in: 0...2),
    ]
    let solution = try HiGHSSolver().solve(program)
    #expect(solution.values == [2, 1] && solution.objective == 4 && solution.bound == 4)
  }

  @Test("that have no solution say so")
  func infeasible() {
    var program = IntegerProgram()
    let x = program.add(.init(bounds: 0...1, cost: 0, isInteger: true))
    program.constraints = [.init([.init(x, 1)], in: 2...3)]
    #expect(throws: PlacementError.infeasible) { try HiGHSSolver().solve(program) }
  }

  @Test("whose objective is unbounded say so")
  func unbounded() {
    var program = IntegerProgram()
    _ = program.add(.init(bounds: 0...Double.infinity, cost: -1, isInteger: false))
    #expect(throws: PlacementError.unbounded) { try HiGHSSolver().solve(program) }
  }

  @Test("with integer variables that are unbounded say so, too")
  func unboundedIntegers() {
    var program = IntegerProgram()
    let x = program.add(.init(bounds: 0...Double.infinity, cost: -1, isInteger: true))
    let y = program.add(.init(bounds: 0...Double.infinity, cost: -1, isInteger: true))
    program.constraints = [.init([.init(x, 1), .init(y, -1)], in: -Double.infinity...0.5)]
    let error = #expect(throws: PlacementError.self) { try HiGHSSolver().solve(program) }
    #expect(error == .unbounded || error == .infeasibleOrUnbounded)
  }

  @Test("that are not valid are refused before they reach the solver")
  func invalid() {
    var program = IntegerProgram()
    let x = program.add(.init(bounds: 0...1, cost: 0, isInteger: true))
    for terms in [
      [IntegerProgram.Term(1, 1)], [.init(-1, 1)], [.init(x, .nan)], [.init(x, 1), .init(x, 1)],
    ] {
      program.constraints = [.init(terms, in: 0...1)]
      #expect(throws: PlacementError.self) { try HiGHSSolver().solve(program) }
    }
  }

  @Test("without variables are solved")
  func empty() throws {
    #expect(try HiGHSSolver().solve(IntegerProgram()).isOptimal)
    var impossible = IntegerProgram()
    impossible.constraints = [.init([], in: 1...2)]
    #expect(throws: PlacementError.infeasible) { try HiGHSSolver().solve(impossible) }
  }

  @Test("that need long stop at the time limit with a bound")
  func timeLimit() throws {
    var generator = SeededGenerator(seed: 5)
    // Many equal-sized sets: symmetric, and so hard to prove optimal.
    var program = IntegerProgram()
    let limit = program.add(.init(bounds: 0...1e9, cost: 1, isInteger: false))
    let sizes = (0..<60).map { _ in Double(Int.random(in: 1000...9999, using: &generator)) }
    let bins = 9
    let places = sizes.map { _ in
      (0..<bins).map { _ in program.add(.init(bounds: 0...1, cost: 0, isInteger: true)) }
    }
    for item in places { program.constraints.append(.init(item.map { .init($0, 1) }, in: 1...1)) }
    for bin in 0..<bins {
      let load = zip(places, sizes).map { IntegerProgram.Term($0[bin], $1) }
      program.constraints.append(.init(load + [.init(limit, -1)], in: -Double.infinity...0))
    }
    let solution = try HiGHSSolver(timeLimit: 1).solve(program)
    #expect(solution.bound >= sizes.reduce(0, +) / Double(bins) - 1e-3)
    #expect(solution.objective >= solution.bound - 1e-6)
  }
}
