import CHiGHS

/// Solves integer programs exactly with HiGHS.
///
/// - SeeAlso: Huangfu and Hall 2018, *Parallelizing the dual revised simplex method*,
///   [doi:10.1007/s12532-017-0130-5](https://doi.org/10.1007/s12532-017-0130-5).
public struct HiGHSSolver: Sendable {
  /// The time limit of the search, in seconds.
  public var timeLimit: Double
  /// The number of threads to use.
  public var threadCount: Int

  /// Creates a solver with limits.
  ///
  /// - Precondition: Both limits are above 0.
  public init(timeLimit: Double = .infinity, threadCount: Int = 1) {
    precondition(timeLimit > 0 && threadCount > 0, "\(timeLimit) s on \(threadCount) threads")
    (self.timeLimit, self.threadCount) = (timeLimit, threadCount)
  }

  /// The version of the library, for example `1.15.1`.
  public static var version: String { unsafe String(cString: Highs_version()) }

  /// Finds the optimal values, or the best within the time limit, with a bound on their distance
  /// from the optimum.
  ///
  /// - Parameters:
  ///   - program: The program.
  ///   - start: Values of all variables to start from; the solver ignores them if they violate a
  ///     constraint.
  /// - Returns: Values, objective and bound.
  /// - Throws: ``PlacementError``.
  public func solve(
    _ program: IntegerProgram, start: [Double]? = nil
  ) throws(PlacementError) -> IntegerProgram.Solution {
    try program.validate()
    guard !program.variables.isEmpty else {
      guard program.constraints.allSatisfy({ $0.bounds.contains(0) }) else { throw .infeasible }
      return .init(values: [], objective: 0, bound: 0, isOptimal: true)
    }
    let session = try HiGHSSession()
    try session.set("threads", CInt(clamping: threadCount))
    try session.set("mip_rel_gap", 1e-6)
    if timeLimit.isFinite { try session.set("time_limit", timeLimit) }
    try session.load(program)
    if let start {
      guard start.count == program.variables.count else {
        throw .invalidProgram(
          message: "\(start.count) start values for \(program.variables.count) variables")
      }
      try session.start(from: start)
    }
    return try session.run(program, timeLimit: timeLimit)
  }
}

/// One solver instance of the library.
@safe private final class HiGHSSession {
  private let handle: UnsafeMutableRawPointer

  init() throws(PlacementError) {
    guard let created = unsafe Highs_create() else {
      throw .solverFailed(operation: "creation", status: -1)
    }
    unsafe handle = unsafe created
    guard unsafe Highs_getSizeofHighsInt(handle) == MemoryLayout<HighsInt>.size else {
      throw .solverFailed(operation: "the check of its integer size", status: -1)
    }
    try check("output_flag", unsafe Highs_setBoolOptionValue(handle, "output_flag", 0))
  }

  deinit { unsafe Highs_destroy(handle) }

  func set(_ option: String, _ value: Double) throws(PlacementError) {
    try check(option, unsafe Highs_setDoubleOptionValue(handle, option, value))
  }

  func set(_ option: String, _ value: CInt) throws(PlacementError) {
    try check(option, unsafe Highs_setIntOptionValue(handle, option, value))
  }

  func load(_ program: IntegerProgram) throws(PlacementError) {
    let (variables, constraints) = (program.variables, program.constraints)
    let terms = constraints.flatMap(\.terms)
    var starts: [HighsInt] = []
    var next = 0
    for constraint in constraints {
      starts.append(HighsInt(next))
      next += constraint.terms.count
    }
    let status = unsafe Highs_passMip(
      handle, HighsInt(variables.count), HighsInt(constraints.count), HighsInt(terms.count),
      HighsInt(CHIGHS_ROW_WISE), HighsInt(CHIGHS_MINIMIZE), 0,
      variables.map(\.cost), variables.map(\.bounds.lowerBound), variables.map(\.bounds.upperBound),
      constraints.map(\.bounds.lowerBound), constraints.map(\.bounds.upperBound), starts,
      terms.map { HighsInt($0.variable) }, terms.map(\.coefficient),
      variables.map { $0.isInteger ? 1 : 0 })
    try check("loading the program", status)
  }

  func start(from values: [Double]) throws(PlacementError) {
    try check("the start", unsafe Highs_setSolution(handle, values, nil, nil, nil))
  }

  func run(
    _ program: IntegerProgram, timeLimit: Double
  ) throws(PlacementError) -> IntegerProgram.Solution {
    try check("solving", unsafe Highs_run(handle))
    if Int(unsafe Highs_getModelStatus(handle)) == CHIGHS_MODEL_UNBOUNDED_OR_INFEASIBLE {
      // Presolve cannot always distinguish infeasible from unbounded; the solver can.
      try check("presolve", unsafe Highs_setStringOptionValue(handle, "presolve", "off"))
      try check("solving", unsafe Highs_run(handle))
    }
    let status = unsafe Highs_getModelStatus(handle)
    switch Int(status) {
    case CHIGHS_MODEL_INFEASIBLE: throw .infeasible
    case CHIGHS_MODEL_UNBOUNDED_OR_INFEASIBLE: throw .infeasibleOrUnbounded
    case CHIGHS_MODEL_UNBOUNDED: throw .unbounded
    case CHIGHS_MODEL_OPTIMAL: break
    case CHIGHS_MODEL_TIME_LIMIT:
      var found: HighsInt = 0
      try check("status", unsafe Highs_getIntInfoValue(handle, "primal_solution_status", &found))
      guard found == CHIGHS_SOLUTION_FEASIBLE else { throw .noSolutionInTime(seconds: timeLimit) }
    default: throw .solverFailed(operation: "solving", status: Int(status))
    }
    var values = [Double](repeating: 0, count: program.variables.count)
    try check("solution", unsafe Highs_getSolution(handle, &values, nil, nil, nil))
    let objective = try number("objective_function_value")
    let isOptimal = Int(status) == CHIGHS_MODEL_OPTIMAL
    // A branch-and-bound search has a bound; without integer variables only the optimum itself is
    // one.
    let isSearch = program.variables.contains(where: \.isInteger)
    let bound = isSearch ? try number("mip_dual_bound") : isOptimal ? objective : -.infinity
    return .init(values: values, objective: objective, bound: bound, isOptimal: isOptimal)
  }

  private func number(_ name: String) throws(PlacementError) -> Double {
    var value = 0.0
    try check(name, unsafe Highs_getDoubleInfoValue(handle, name, &value))
    return value
  }

  private func check(_ operation: String, _ status: HighsInt) throws(PlacementError) {
    guard status != CHIGHS_STATUS_ERROR else {
      throw .solverFailed(operation: operation, status: Int(status))
    }
  }
}
