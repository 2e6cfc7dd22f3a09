public import MoECore
public import MoETensor

/// In which form a model's weights are opened.
public struct WeightForm {
  /// The type to compute in; `nil` for the one that the model names, f32 for a model with packed weights.
  public var dtype: DType?
  /// How the numbers that packed weights meet are rounded in text generation.
  public var activations: ActivationPrecision
  /// Which dense weights are packed while they are read.
  public var packing: WeightPacking?
  /// What to put in the place of a packed weight, by its name: to watch its products, or to compute others.
  public var transform: ((_ name: String, PackedWeight) -> any LinearWeight)?
  /// Receives what is remarkable about packed weights: where a file contradicts its configuration, and how it was read.
  public var note: (String) -> Void

  /// Chooses a form.
  public init(
    dtype: DType? = nil, activations: ActivationPrecision = .automatic,
    packing: WeightPacking? = nil,
    transform: ((_ name: String, PackedWeight) -> any LinearWeight)? = nil,
    note: @escaping (String) -> Void = { _ in }
  ) {
    (self.dtype, self.activations, self.packing) = (dtype, activations, packing)
    (self.transform, self.note) = (transform, note)
  }

  /// The same with packed weights that are unpacked for every product, which is then one of dense weights: the numbers
  /// that codes stand for, whatever the processor multiplies fastest.
  public var unpacked: WeightForm {
    var form = self
    form.transform = { UnpackedWeight($1) }
    return form
  }
}

/// Which dense weights are packed while they are read, and how.
public struct WeightPacking {
  /// The format of a linear layer, by its name without `.weight`; layers without one stay dense.
  public var formats: [String: PackedFormat]
  /// The rule by which numbers become codes.
  public var rounding: PackedRounding
  /// Receives how far the work is.
  public var progress: ProgressHandler

  /// Collects formats.
  public init(
    _ formats: [String: PackedFormat], rounding: PackedRounding = .nearest,
    progress: @escaping ProgressHandler = { _ in }
  ) {
    (self.formats, self.rounding, self.progress) = (formats, rounding, progress)
  }
}

extension WeightPacking {
  /// A hash that distinguishes packings.
  package var fingerprint: String {
    let lines = formats.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)\n" }
    return SHA256.hexadecimal(of: Array("\(rounding) \(lines.joined())".utf8))
  }
}

/// The weights of a dense checkpoint, of which some are packed while they are read.
final class RoundedWeights: PartlyPackedSource {
  private let stored: CheckpointWeights
  let dense: CheckpointWeights
  private let store: any TensorStore
  private let packing: WeightPacking
  private let activations: ActivationPrecision
  private let dtype: DType
  private var done = 0

  init(
    _ store: any TensorStore, _ packing: WeightPacking, dtype: DType,
    activations: ActivationPrecision
  ) {
    stored = CheckpointWeights(store, .elements(nil))
    dense = CheckpointWeights(store, .elements(dtype))
    self.store = store
    (self.packing, self.dtype, self.activations) = (packing, dtype, activations)
  }

  func linear(
    _ name: String, outputs: Int, inputs: Int, start: WeightStart
  ) throws -> any LinearWeight {
    guard let format = format(name) else {
      return try dense.weight(name, [outputs, inputs], start: start)
    }
    return try packed(stored.weight(name, [outputs, inputs], start: start), name, format)
  }

  func expertLinears(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [any LinearWeight] {
    let found = try stored.expertWeights(projection, of: block, experts: experts, shape: shape)
    return try found.enumerated().map { expert, weight in
      let name = block.name(expert, projection)
      guard let format = format(name) else { return Parameter(weight.value.cast(to: dtype)) }
      return try packed(weight, name, format)
    }
  }

  /// Rejects tensors that the model did not ask for.
  func checkAllUsed() throws {
    try CheckpointWeights.refuse(Set(stored.unused).intersection(dense.unused), in: store)
  }

  private func format(_ name: String) -> PackedFormat? {
    packing.formats[String(name.dropLast(".weight".count))]
  }

  private func packed(
    _ weight: Parameter, _ name: String, _ format: PackedFormat
  ) throws -> PackedWeight {
    let result = try PackedWeight.rounded(
      weight.value, to: format, packing.rounding, named: name, activations: activations,
      dtype: dtype)
    done += 1
    packing.progress(
      Progress("packing weights", completed: done, total: packing.formats.count))
    return result
  }
}

extension PackedWeight {
  /// Rounds a weight of a model.
  ///
  /// - Throws: ``WeightRoundingError`` if it is not finite.
  package static func rounded(
    _ weight: Tensor, to format: PackedFormat, _ rounding: PackedRounding, named name: String,
    scales: DType? = nil, activations: ActivationPrecision = .automatic, dtype: DType = .f32
  ) throws -> PackedWeight {
    do throws(PackedWeightError) {
      return try rounded(
        weight, to: format, rounding, scales: scales, activations: activations, dtype: dtype)
    } catch {
      guard case .notFinite = error else { throw error }
      throw WeightRoundingError(name: name)
    }
  }
}

/// A weight cannot be rounded to codes.
public struct WeightRoundingError: Error, Hashable, CustomStringConvertible {
  /// Its name.
  public var name: String

  /// What is wrong, and what to change.
  public var description: String {
    "the weight '\(name.printable)' cannot be quantized: a number in it is infinite, or not a number, or too large for the type of its scales; keep the module at 16 bits"
  }
}
