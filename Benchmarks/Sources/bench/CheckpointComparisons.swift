import Foundation
import MoECore
import MoETensor
import SystemPackage

/// Opening and reading a safetensors file of 1 GB.
enum CheckpointComparisons {
  /// A file of 256 tensors in the shapes of a small language model's experts.
  static func makeFile(at path: FilePath) throws {
    let items = (0..<256).map {
      SafetensorsItem(
        name: "layers.\($0 / 16).experts.\($0 % 16).weight", dtype: .f32, shape: [1024, 954])
    }
    try SafetensorsWriter.write(items, to: path) { Tensor.full(0.5, $0.shape) }
  }

  static func all(_ path: FilePath) -> [Comparison] {
    [
      Comparison(
        title: "opening 1 GB of safetensors, all tensors created", peerName: "checkpoint_open",
        iterations: 1, run: { _ in try open(path) },
        bar: .absolute(seconds: 0.05, bytes: 20_000_000)),
      Comparison(
        title: "the same, and summing every element", peerName: "checkpoint_read", iterations: 1,
        run: { _ in try read(path) }, bar: nil),
    ]
  }

  private static func open(_ path: FilePath) throws -> Measurement {
    let before = privateMemory()
    var count = 0
    var added = 0
    let seconds = try ContinuousClock().measure {
      let tensors = try tensors(path)
      count = tensors.count
      added = privateMemory() - before
    }
    precondition(count == 256)
    return Measurement(seconds: seconds / Duration.seconds(1), bytes: added)
  }

  private static func read(_ path: FilePath) throws -> Measurement {
    var total: Float = 0
    let seconds = try ContinuousClock().measure {
      for tensor in try tensors(path) { total += tensor.sum().item(as: Float.self) }
    }
    precondition(abs(total / (256 * 1024 * 954 * 0.5) - 1) < 1e-3)
    return Measurement(seconds: seconds / Duration.seconds(1))
  }

  private static func tensors(_ path: FilePath) throws -> [Tensor] {
    let file = try SafetensorsFile(path)
    return try file.header.entries.map { try file.tensor(named: $0.name) }
  }
}
