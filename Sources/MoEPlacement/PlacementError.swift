import MoECore

/// Why a placement, or a program behind it, could not be solved, read or written.
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
  /// Counts, topology or limits that make no placement problem.
  case invalidProblem(message: String)
  /// Experts and replicas cannot be dealt out evenly.
  case unevenSlots(experts: Int, replicas: Int, ranks: Int)
  /// No plan is as balanced as asked; `lowest` is a bound that no plan can beat.
  case impossibleBalance(limit: Double, layer: Int, lowest: Double)
  /// No plan as balanced as asked was found, though one may exist; `best` is the best one found.
  case balanceNotReached(limit: Double, layer: Int, best: Double)
  /// The method cannot work on a problem of this size; `bound` is its largest.
  case tooLarge(method: String, size: String, bound: String)
  /// The method does not know something that the problem asks for.
  case unsupported(method: String, feature: String, instead: String)
  /// A plan that breaks the rules, with the first of its faults.
  case illegalPlan(message: String)
  /// The plan and the problem do not belong together.
  case planMismatch(message: String)
  /// A file that holds no plan; `place` says where in it.
  case invalidFile(path: String, message: String)
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
      "HiGHS failed in \(operation) with status \(status)"
    case .invalidProblem(let message):
      "this is no placement problem: \(message)"
    case .unevenSlots(let experts, let replicas, let ranks):
      Self.uneven(experts: experts, replicas: replicas, ranks: ranks)
    case .impossibleBalance(let limit, let layer, let lowest):
      "layer \(layer) cannot be balanced to \(limit): no plan has a maximum below \(Self.short(lowest)) times the mean; raise the limit or allow replicas"
    case .balanceNotReached(let limit, let layer, let best):
      "no plan with a balance of \(limit) was found; the best one has \(Self.short(best)) in layer \(layer); raise the limit or allow replicas"
    case .tooLarge(let method, let size, let bound):
      "\(method) cannot hold \(size); its bound is \(bound); use sweep or auto"
    case .unsupported(let method, let feature, let instead):
      "\(method) does not know \(feature); use \(instead)"
    case .illegalPlan(let message):
      "the plan is not legal: \(message)"
    case .planMismatch(let message):
      "the plan belongs to something else: \(message)"
    case .invalidFile(let path, let message):
      "\(path): \(message)"
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
