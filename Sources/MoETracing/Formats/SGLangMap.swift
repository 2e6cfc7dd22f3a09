import MoECore
import SystemPackage

/// SGLang's table of the logical expert behind every physical one.
struct SGLangMap {
  private let width: Int
  private let ids: [Int]
  private let path: FilePath
  /// The number of logical experts.
  var experts: Int { (ids.max() ?? -1) + 1 }

  /// Reads the table; `nil` if the dump has none.
  init?(_ dump: PyTorchFile) throws {
    guard let tensor = dump.value["last_physical_to_logical_map"]?.tensor else { return nil }
    guard tensor.shape.count == 2 else {
      throw TracingError.invalidFile(
        dump.path, "'last_physical_to_logical_map' has shape \(tensor.shape)")
    }
    (width, ids, path) = (tensor.shape[1], try dump.integers(of: tensor), dump.path)
    guard ids.allSatisfy({ 0..<RoutingTraceHeader.expertLimit ~= $0 }) else {
      throw TracingError.invalidFile(
        path, "'last_physical_to_logical_map' holds a number that is not an expert")
    }
  }

  /// The logical expert of a physical one.
  func logical(_ id: Int, _ layer: Int) throws -> Int {
    guard 0..<width ~= id, ids.indices.contains(layer * width + id) else {
      throw TracingError.invalidFile(
        path, "expert \(id) of layer \(layer) is not in 'last_physical_to_logical_map'")
    }
    return ids[layer * width + id]
  }
}
