public import ArgumentParser
public import MoEPlacement
import SystemPackage

/// A plan to be written in another system's format.
struct PlanExport: ExpressibleByArgument {
  let format: PlanFormat
  let path: FilePath

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, let format = PlanFormat(rawValue: parts[0]),
      let path = PathArgument(argument: parts[1])
    else { return nil }
    (self.format, self.path) = (format, path.path)
  }
}

extension PlanFormat: ExpressibleByArgument {}

/// A method of placement.
enum PlacementMethod: String, CaseIterable, ExpressibleByArgument {
  case auto, exact, sweep, bisection, staged, milp, eplb, linear, random

  func solver(
    timeLimit: Double?, form: IntegerProgramSolver.Form, seed: UInt64
  ) -> any PlacementSolver {
    let limit = timeLimit ?? .infinity
    return switch self {
    case .auto: AutomaticSolver(seed: seed, timeLimit: limit)
    case .exact: ExactSolver()
    case .sweep: SweepSolver(seed: seed, timeLimit: limit)
    case .bisection: BisectionSolver(seed: seed, timeLimit: limit)
    case .staged: StagedSolver(seed: seed, timeLimit: limit)
    case .milp: IntegerProgramSolver(form: form, timeLimit: timeLimit ?? 60)
    case .eplb: LoadBalanceSolver()
    case .linear: LinearSolver()
    case .random: RandomSolver(seed: seed)
    }
  }
}

extension IntegerProgramSolver.Form: ExpressibleByArgument {}

/// Numbers such as 0,3,5-9.
struct LayerList: ExpressibleByArgument {
  let layers: [Int]

  init?(argument: String) {
    var result: [Int] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, ends.count <= 2,
        first >= 0, last >= first, last < PlacementProblem.maximumLayers
      else { return nil }
      result += first...last
    }
    layers = result
  }
}

/// A share in percent with one decimal.
func percent(_ share: Double) -> String {
  let tenths = Int((share * 1000).rounded())
  return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10) %"
}

/// A number with three decimals.
func decimals(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
