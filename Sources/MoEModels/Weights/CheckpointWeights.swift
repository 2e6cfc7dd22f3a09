public import MoECore
public import MoETensor

/// The weights of a checkpoint of any kind, as views of its mapped bytes: nothing is read until it
/// is used.
///
/// Experts may be stored individually (`experts.0.up_proj.weight`) or stacked
/// (`experts.gate_up_proj`, shape `[experts, 2 · inner, hidden]`, and `experts.down_proj`), as
/// transformers 5 writes some models.
public final class CheckpointWeights: WeightSource {
  private let store: any TensorStore
  private let reading: Reading
  private var used: Set<String> = []

  /// How the elements of a weight are handled.
  enum Reading {
    /// They are converted to a type; `nil` keeps the stored types, which may differ.
    case elements(DType?)
    /// Only names, shapes and types are checked, and weights are empty.
    case headers
  }

  /// Reads weights from a checkpoint.
  ///
  /// - Parameters:
  ///   - checkpoint: The checkpoint.
  ///   - dtype: Data type to compute in; `nil` for the one in which the weights are stored, which needs no memory. If
  ///     they are stored in several, the type of the first by name, to which the others are converted.
  public convenience init(_ checkpoint: SafetensorsCheckpoint, dtype: DType? = nil) {
    self.init(checkpoint, .elements(dtype ?? checkpoint.firstType))
  }

  init(_ store: any TensorStore, _ reading: Reading) {
    (self.store, self.reading) = (store, reading)
  }

  /// Names of tensors that are not used by the model.
  public var unused: [String] { store.names.filter { !used.contains($0) } }

  /// Rejects tensors that no model asked for, except what some programs write though it follows from the configuration.
  ///
  /// - Throws: ``ModelError/unknownWeight(path:name:)``.
  static func refuse(_ unused: Set<String>, in store: any TensorStore) throws(ModelError) {
    if let name = unused.filter({ !isIdle($0) }).min() {
      throw .unknownWeight(path: store.path, name: name)
    }
  }

  /// Whether a tensor may be there although no model asks for it.
  static func isIdle(_ name: String) -> Bool {
    name == "lm_head.weight" || name.hasSuffix(".rotary_emb.inv_freq")
  }

  /// A weight of the checkpoint.
  public func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    let tensor = try tensor(name, shape)
    // What is added to f32 scores keeps its precision.
    return Parameter(WeightNames.isSelectionBias(name) ? tensor : converted(tensor))
  }

  /// One projection of all experts, however they are stored.
  public func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    let stackedName = block.prefix + (projection == .down ? ".down_proj" : ".gate_up_proj")
    guard store.header(named: stackedName) != nil else {
      return try (0..<experts).map {
        try weight(block.name($0, projection), shape, start: block.start(projection))
      }
    }
    let inner = shape[0]
    let rows = projection == .down ? inner : 2 * inner
    let stack = try tensor(stackedName, [experts, rows, shape[1]])
    guard case .elements = reading else { return (0..<experts).map { _ in Parameter(stack) } }
    // Gate rows precede up rows.
    let range = projection == .up ? inner..<2 * inner : 0..<inner
    return (0..<experts).map { Parameter(converted(stack[$0][range])) }
  }

  private func tensor(_ name: String, _ shape: [Int]) throws -> Tensor {
    try store.checked(name, shape)
    used.insert(name)
    guard case .elements = reading else { return Tensor.zeros(shape.map { _ in 0 }) }
    return try store.tensor(named: name)
  }

  private func converted(_ tensor: Tensor) -> Tensor {
    guard case .elements(let dtype?) = reading else { return tensor }
    return tensor.cast(to: dtype)
  }
}
