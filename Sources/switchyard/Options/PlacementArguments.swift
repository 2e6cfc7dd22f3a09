public import ArgumentParser
import MoECore
public import MoEPlacement
import SystemPackage

/// A file to write a plan to in another system's format.
struct PlanExport: ExpressibleByArgument {
  let format: PlanFormat
  let path: FilePath

  init?(argument: String) {
    let parts = argument.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, let format = PlanFormat(argument: parts[0]),
      let path = PathArgument(argument: parts[1])
    else { return nil }
    (self.format, self.path) = (format, path.path)
  }
}

extension PlanFormat: RegistryArgument {
  static var registry: Registry<PlanFormat> { PlanFormats.registry }

  /// The syntax of ``PlanExport``, for help: `plan=, exflow= or sglang=FILE`.
  static func exportForms(without left: PlanFormat? = nil) -> String {
    let names = registry.names.filter { $0 != left?.name }
    return names.dropLast().map { "\($0)=" }.joined(separator: ", ")
      + " or \(names.last ?? "")=FILE"
  }
}

extension PlacementMethod: RegistryArgument {
  static var registry: Registry<PlacementMethod> { PlacementMethods.registry }
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
