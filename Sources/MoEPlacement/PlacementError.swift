/// Why a placement, or a program behind it, could not be solved.
public enum PlacementError: Error, Hashable {
  /// The program names a variable that it does not have, or a number that is not finite.
  case invalidProgram(message: String)
  /// No values satisfy all constraints.
  case infeasible
  /// The objective has no lowest value.
  case unbounded
  /// There is no best solution, for one of these reasons; the solver could not tell which.
  case infeasibleOrUnbounded
  /// The time was up before any solution was found.
  case noSolutionInTime(seconds: Double)
  /// The integer-program solver failed; `status` is its own code.
  case solverFailed(operation: String, status: Int)
}

extension PlacementError: CustomStringConvertible {
  /// What is wrong and what to change.
  public var description: String {
    switch self {
    case .invalidProgram(let message):
      "the integer program is not valid: \(message)"
    case .infeasible:
      "no values satisfy all constraints; relax one of them"
    case .unbounded:
      "the objective can fall without end; bound the variables"
    case .infeasibleOrUnbounded:
      "either no values satisfy all constraints or the objective can fall without end; bound the variables"
    case .noSolutionInTime(let seconds):
      "no solution was found in \(seconds) s; allow more time"
    case .solverFailed(let operation, let status):
      "HiGHS failed in \(operation) with status \(status); run 'switchyard doctor'"
    }
  }
}
