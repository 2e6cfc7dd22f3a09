import MoECore
import MoETensor
import SystemPackage

/// A model in a GGUF file, with the names and layout of Hugging Face checkpoints.
///
/// Experts that are stacked in the file are weights of their own here, and are decoded one by one.
final class GGUFModel {
  let file: GGUFFile
  /// The family of the model.
  let family: any DecoderFamily.Type
  /// The equivalent of `config.json`.
  let configuration: ConfigurationObject
  private let metadata: GGUFMetadata
  /// The weights by their names in checkpoints.
  private let weights: [String: Weight]

  /// Where a weight is stored.
  struct Weight {
    var tensor: GGUFTensor
    /// Which part along the first dimension; `nil` for the whole.
    var part: Int?
    /// The shape in checkpoints.
    var shape: [Int]

    /// Bytes in the file.
    var bytes: Int { part == nil ? tensor.range.count : tensor.range.count / tensor.shape[0] }
  }

  /// Reads metadata and names.
  ///
  /// - Throws: `GGUFError` if the file has another architecture or needs unsupported features.
  init(_ file: GGUFFile) throws(GGUFError) {
    self.file = file
    let architecture = try GGUFArchitecture.architecture(of: file)
    metadata = try GGUFMetadata(file, architecture)
    configuration = ConfigurationObject(metadata.keys, path: file.path)
    family = architecture.family
    let names = GGUFNames(family.names)
    var weights: [String: Weight] = [:]
    for tensor in file.tensors {
      for (name, weight) in try Self.weights(tensor, names, file, metadata) {
        weights[name] = weight
      }
    }
    self.weights = weights
  }

  private static func weights(
    _ tensor: GGUFTensor, _ names: GGUFNames, _ file: GGUFFile, _ metadata: GGUFMetadata
  ) throws(GGUFError) -> [(String, Weight)] {
    guard let place = names.place(of: tensor.name),
      GGUFNames.layer(of: tensor.name) ?? 0 < metadata.layers
    else { throw unused(tensor, in: file) }
    let experts = metadata.experts
    switch place {
    case .one(let name): return [(name, Weight(tensor: tensor, shape: tensor.shape))]
    case .row(let name):
      let shape = tensor.shape.count == 1 ? [1] + tensor.shape : tensor.shape
      return [(name, Weight(tensor: tensor, shape: shape))]
    case .stack:
      guard experts > 0 else { throw unused(tensor, in: file) }
      guard tensor.shape.count == 3, tensor.shape[0] == experts else {
        throw file.wrongShape(
          tensor, "it must have three dimensions, the last of \(experts) experts")
      }
      let shape = Array(tensor.shape.dropFirst())
      // What fits no expert would become a weight for each.
      guard shape.contains(metadata.hidden) else {
        throw file.wrongShape(
          tensor, "one of its first dimensions must be \(metadata.hidden), the width of the model")
      }
      return place.names(experts: experts).enumerated().map {
        ($1, Weight(tensor: tensor, part: $0, shape: shape))
      }
    }
  }

  private static func unused(_ tensor: GGUFTensor, in file: GGUFFile) -> GGUFError {
    file.error(.unsupported("the tensor '\(tensor.name)' in a model of its architecture"))
  }

  /// Checks that a decoder uses every tensor, and finds all that it needs.
  ///
  /// - Throws: `GGUFError` or ``ModelError``.
  func check(_ configuration: DecoderConfiguration) throws {
    let source = CheckpointWeights(self, .headers)
    _ = try MoEDecoder(configuration, names: family.names, weights: source)
    guard let name = source.unused.first, let weight = weights[name] else { return }
    throw Self.unused(weight.tensor, in: file)
  }

  /// Where a weight is stored.
  func weight(named name: String) -> Weight? { weights[name] }
}

extension GGUFModel: TensorStore {
  /// The names of all weights, in alphabetical order.
  var names: [String] { weights.keys.sorted() }

  /// The file.
  var path: FilePath { file.path }

  /// The name of the tensor that holds a weight.
  func storedName(of name: String) -> String { weights[name]?.tensor.name ?? name }

  /// The header of a weight; its type is `nil` for quantized blocks.
  func header(named name: String) -> TensorHeader? {
    weights[name].map { TensorHeader(shape: $0.shape, dtype: $0.tensor.type.dtype) }
  }

  /// A weight in the layout of a checkpoint.
  func tensor(named name: String) throws -> Tensor {
    guard let weight = weights[name] else { throw file.error(.noSuchTensor(name)) }
    let stored = weight.tensor.name
    let elements =
      try weight.part.map { try file.part($0, of: stored) } ?? file.elements(of: stored)
    let shaped = elements.shape == weight.shape ? elements : elements.reshaped(weight.shape)
    return turnedHeads(of: name).map { Self.halved(shaped, heads: $0) } ?? shaped
  }

  /// The heads of a weight whose rows the format's converter permutes; `nil` for other weights.
  private func turnedHeads(of name: String) -> Int? {
    guard metadata.architecture.rotatesNeighbours else { return nil }
    return switch name.split(separator: ".").dropLast().last {
    case "q_proj": metadata.heads
    case "k_proj": metadata.keyHeads
    default: nil
    }
  }

  /// A weight in blocks as a packed weight with the same numbers; `nil` if its type cannot be packed without a change.
  func packed(
    _ name: String, activations: ActivationPrecision, dtype: DType
  ) throws -> PackedWeight? {
    guard let weight = weights[name], weight.shape.count == 2,
      let packed = try file.packed(
        weight.tensor.name, part: weight.part, activations: activations, dtype: dtype)
    else { return nil }
    guard let heads = turnedHeads(of: name) else { return packed }
    return try PackedWeight(
      packed.format, shape: packed.shape, codes: Self.halved(packed.codes, heads: heads),
      scales: Self.halved(packed.scales, heads: heads),
      biases: packed.biases.map { Self.halved($0, heads: heads) }, activations: activations,
      dtype: dtype)
  }

  /// Undoes the row permutation that the format's converter applies to queries and keys.
  ///
  /// llama.cpp rotates adjacent rows of a head, transformers rows that are half a head apart.
  private static func halved(_ x: Tensor, heads: Int) -> Tensor {
    let rows = x.size(0)
    // The caller rejects other shapes.
    guard rows.isMultiple(of: 2 * heads) else { return x }
    return x.reshaped([heads, rows / heads / 2, 2, -1]).transposed(1, 2).contiguous()
      .reshaped(x.shape)
  }
}
