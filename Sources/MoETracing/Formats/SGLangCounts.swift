import MoECore
import SystemPackage

/// The counts in a dump of SGLang's expert distribution recorder.
///
/// Mode stat: `{"logical_count": [steps, layers, experts], …}`. Mode per_pass: `{"records": [{"global_physical_count":
/// [layers, physical experts], …}], "last_physical_to_logical_map": …}`.
struct SGLangCounts {
  private let dump: PyTorchFile

  init(_ dump: PyTorchFile) { self.dump = dump }

  /// The counts summed over steps, `[layers][experts]`; `nil` for other dumps.
  func loads() throws -> [[Double]]? {
    if let tensor = dump.value["logical_count"]?.tensor { return try aggregated(tensor) }
    let passes = dump.value["records"]?.elements?.compactMap { $0["global_physical_count"]?.tensor }
    guard let passes, !passes.isEmpty, let map = try SGLangMap(dump) else { return nil }
    var result: [[Double]] = []
    for tensor in passes {
      guard tensor.shape.count == 2, result.isEmpty || result.count == tensor.shape[0] else {
        throw TracingError.invalidFile(
          dump.path, "'global_physical_count' has shape \(tensor.shape); expected [layers, experts]"
        )
      }
      if result.isEmpty {
        result = Array(
          repeating: Array(repeating: 0, count: map.experts), count: tensor.shape[0])
      }
      let width = max(1, tensor.shape[1])
      for (place, count) in try dump.integers(of: tensor).enumerated() where count != 0 {
        let layer = place / width
        result[layer][try map.logical(place % width, layer)] += Double(count)
      }
    }
    return result
  }

  private func aggregated(_ tensor: PickleTensor) throws -> [[Double]] {
    guard (2...3).contains(tensor.shape.count), !tensor.shape.contains(0) else {
      throw TracingError.invalidFile(
        dump.path,
        "'logical_count' has shape \(tensor.shape); expected [steps, layers, experts]")
    }
    let size = tensor.shape.count
    let (layers, experts) = (tensor.shape[size - 2], tensor.shape[size - 1])
    var result = [[Double]](repeating: [Double](repeating: 0, count: experts), count: layers)
    for (place, number) in try dump.integers(of: tensor).enumerated() {
      result[place / experts % layers][place % experts] += Double(number)
    }
    return result
  }
}
