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
