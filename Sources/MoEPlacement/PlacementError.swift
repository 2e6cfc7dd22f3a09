import MoECore

/// Why a placement, or a program behind it, could not be solved, read or written.
public enum PlacementError: Error, Hashable {
  /// The program names a variable that it does not have, or a number that is not finite.
  case invalidProgram(message: String)
  /// No values satisfy all constraints.
  case infeasible
  /// The objective has no lowest value.
  case unbounded
  /// There is no optimal solution, for one of the two reasons above; the solver could not tell
  /// which.
  case infeasibleOrUnbounded
  /// No solution was found within the time limit.
  case noSolutionInTime(seconds: Double)
  /// The integer-program solver failed; `status` is its code.
  case solverFailed(operation: String, status: Int)
  /// Counts, topology or limits that do not form a placement problem.
  case invalidProblem(message: String)
  /// Experts and replicas cannot be distributed evenly.
  case unevenSlots(experts: Int, replicas: Int, ranks: Int)
  /// No plan is as balanced as requested; `lowest` is a lower bound for all plans.
  case impossibleBalance(limit: Double, layer: Int, lowest: Double)
  /// No plan as balanced as requested was found, though one may exist; `best` is the best one
  /// found.
  case balanceNotReached(limit: Double, layer: Int, best: Double)
  /// The problem is too large for the method; `bound` is the largest size.
  case tooLarge(method: String, size: String, bound: String)
  /// The method does not support a feature of the problem.
  case unsupported(method: String, feature: String, instead: String)
  /// A plan that violates the rules, with the first violation.
  case illegalPlan(message: String)
  /// The plan and the problem do not match.
  case planMismatch(message: String)
  /// A file that is not a plan; `message` says why.
  case invalidFile(path: String, message: String)
  /// A file that is not a plan of the format it was read as, but seems to be one of another; `format` is its name.
  case otherFormat(path: String, format: String)
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
      "the objective is unbounded below; bound the variables"
    case .infeasibleOrUnbounded:
      "either no values satisfy all constraints or the objective is unbounded below; bound the variables"
    case .noSolutionInTime(let seconds):
      "no solution was found in \(seconds) s; allow more time"
    case .solverFailed(let operation, let status):
      "HiGHS failed in \(operation) with status \(status)"
    case .invalidProblem(let message):
      "this is not a placement problem: \(message)"
    case .unevenSlots(let experts, let replicas, let ranks):
      Self.uneven(experts: experts, replicas: replicas, ranks: ranks)
    case .impossibleBalance(let limit, let layer, let lowest):
      "layer \(layer) cannot be balanced to \(limit): no plan has a maximum below \(Self.short(lowest)) times the mean; raise the limit or allow replicas"
    case .balanceNotReached(let limit, let layer, let best):
      "no plan with a balance of \(limit) was found; the best one has \(Self.short(best)) in layer \(layer); raise the limit or allow replicas"
    case .tooLarge(let method, let size, let bound):
      "\(method) cannot solve \(size); its limit is \(bound); use sweep or auto"
    case .unsupported(let method, let feature, let instead):
      "\(method) does not support \(feature); use \(instead)"
    case .illegalPlan(let message):
      "the plan is not legal: \(message)"
    case .planMismatch(let message):
      "the plan does not match: \(message)"
    case .invalidFile(let path, let message):
      "\(path): \(message)"
    case .otherFormat(let path, let format):
      "\(path): it seems to be a plan of the format \(format); read it as that"
    }
  }

  private static func uneven(experts: Int, replicas: Int, ranks: Int) -> String {
    let slots = experts + replicas
    let more = (ranks - slots % ranks) % ranks
    return
      "\(experts) experts and \(replicas) replicas do not divide into \(ranks) ranks; use a divisor of \(slots), or \(replicas + more) replicas"
  }

  private static func short(_ value: Double) -> String {
    NumberText.decimals(value, 3, .up)
  }
}
