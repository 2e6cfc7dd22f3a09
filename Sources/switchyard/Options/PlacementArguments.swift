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

  init(_ layers: [Int]) { self.layers = layers }

  /// The numbers as the option takes them: 0,3,5-9.
  var text: String {
    var runs: [ClosedRange<Int>] = []
    for layer in layers {
      if let last = runs.last, last.upperBound + 1 == layer {
        runs[runs.count - 1] = last.lowerBound...layer
      } else {
        runs.append(layer...layer)
      }
    }
    return runs.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ",")
  }

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
