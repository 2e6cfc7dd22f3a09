public import MoECore
public import MoETensor

/// The weights of a checkpoint, over its mapped bytes: nothing is read until it is used.
///
/// Experts may be stored one by one (`experts.0.up_proj.weight`) or stacked (`experts.gate_up_proj`, shape
/// `[experts, 2 · inner, hidden]`, and `experts.down_proj`), as transformers 5 writes some models.
public final class CheckpointWeights: WeightSource {
  private let checkpoint: SafetensorsCheckpoint
  private let dtype: DType?
  private(set) var used: Set<String> = []

  /// Reads weights from a checkpoint.
  ///
  /// - Parameters:
  ///   - checkpoint: The checkpoint.
  ///   - dtype: Type to compute in; `nil` leaves weights as they are stored, which costs no memory.
  public init(_ checkpoint: SafetensorsCheckpoint, dtype: DType? = nil) {
    (self.checkpoint, self.dtype) = (checkpoint, dtype)
  }

  /// Names of tensors that no part of the model asked for.
  public var unused: [String] { checkpoint.entries.map(\.name).filter { !used.contains($0) } }

  /// A weight of the checkpoint.
  public func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    Parameter(converted(try tensor(name, shape)))
  }

  /// One projection of all experts, whichever way they are stored.
  public func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    let stackedName = block.prefix + (projection == .down ? ".down_proj" : ".gate_up_proj")
    guard checkpoint.contains(stackedName) else {
      return try (0..<experts).map {
        try weight(block.name($0, projection), shape, start: block.start(projection))
      }
    }
    let inner = shape[0]
    let rows = projection == .down ? inner : 2 * inner
    let stack = try tensor(stackedName, [experts, rows, shape[1]])
    // Gate rows stand above up rows.
    let range = projection == .up ? inner..<2 * inner : 0..<inner
    return (0..<experts).map { Parameter(converted(stack[$0][range])) }
  }

  private func tensor(_ name: String, _ shape: [Int]) throws -> Tensor {
    guard checkpoint.contains(name) else {
      throw ModelError.missingWeight(path: checkpoint.path, name: name)
    }
    let entry = try checkpoint.shard(holding: name).entry(named: name)
    guard entry.shape == shape else {
      throw ModelError.wrongShape(
        path: checkpoint.path, name: name, found: entry.shape, expected: shape)
    }
    guard [.f64, .f32, .bf16, .f16].contains(entry.dtype) else {
      throw ModelError.wrongType(path: checkpoint.path, name: name, found: entry.dtype)
    }
    used.insert(name)
    return try checkpoint.tensor(named: name)
  }

  private func converted(_ tensor: Tensor) -> Tensor { dtype.map { tensor.cast(to: $0) } ?? tensor }
}
