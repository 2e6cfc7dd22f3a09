import MoECore
import MoETensor
import SystemPackage

/// How a checkpoint stores packed weights: one file per format, chosen by `config.json`.
protocol PackedScheme {
  /// The format's name, for messages and summaries.
  static var title: String { get }

  /// The packed matrix of a linear layer; `nil` if the checkpoint has a dense one.
  ///
  /// - Parameters:
  ///   - module: The layer's name, without `.weight`.
  ///   - shape: Outputs and inputs.
  ///   - tensors: The checkpoint.
  /// - Returns: The weight.
  /// - Throws: ``ModelError`` if what is stored contradicts the configuration.
  func weight(
    _ module: String, _ shape: [Int], in tensors: PackedTensors
  ) throws -> PackedWeight?

  /// The packed matrices of one projection of all experts, if they are stored together; `nil` if they are not.
  ///
  /// - Parameters:
  ///   - projection: Which of an expert's projections.
  ///   - block: The names of the layer's experts.
  ///   - experts: Number of experts.
  ///   - shape: Outputs and inputs of one expert's matrix.
  ///   - tensors: The checkpoint.
  /// - Returns: One weight per expert.
  /// - Throws: ``ModelError`` if what is stored contradicts the configuration.
  func experts(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, _ shape: [Int],
    in tensors: PackedTensors
  ) throws -> [any LinearWeight]?

  /// The width that the configuration names for a module; `nil` where shapes say it.
  func bits(_ module: String) -> Int?

  /// Rejects settings for modules that the checkpoint does not have, when all weights have been read.
  func checkAllUsed(in tensors: PackedTensors) throws

  /// Whether a tensor that no layer asked for may be there.
  func mayIgnore(_ name: String, in tensors: PackedTensors) throws -> Bool
}

extension PackedScheme {
  func experts(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, _ shape: [Int],
    in tensors: PackedTensors
  ) throws -> [any LinearWeight]? { nil }

  func bits(_ module: String) -> Int? { nil }

  func checkAllUsed(in tensors: PackedTensors) throws {}

  func mayIgnore(_ name: String, in tensors: PackedTensors) throws -> Bool { false }
}

/// The formats, in the order in which they are looked for.
enum PackedSchemes {
  /// The keys of `config.json` that describe packed weights.
  static let keys = ["quantization", "quantization_config"]

  /// The scheme that a configuration names; `nil` for a model with dense weights.
  ///
  /// - Throws: `ConfigurationError` for a format that is not read.
  static func scheme(of json: ConfigurationObject) throws -> (any PackedScheme)? {
    if json.has("quantization") {
      // MLX writes the same object under both keys.
      guard
        !json.has("quantization_config")
          || json.value("quantization") == json.value("quantization_config")
      else {
        throw json.invalid("quantization_config", "absent, or the same as 'quantization'")
      }
      return try MLXScheme(json.object("quantization"))
    }
    guard json.has("quantization_config") else { return nil }
    let settings = try json.object("quantization_config")
    let method = try settings.optionalString("quant_method")
    switch method {
    case NativeScheme.method: return try NativeScheme(settings)
    case "gptq": return try GPTQScheme(settings)
    case "awq": return try AWQScheme(settings)
    case "compressed-tensors": return try CompressedScheme(settings)
    // MLX names no method.
    case nil where settings.has("bits") && settings.has("group_size"):
      return try MLXScheme(settings)
    default:
      throw settings.invalid(
        "quant_method",
        "switchyard, gptq, awq or compressed-tensors, or absent beside MLX's 'bits' and 'group_size'"
      )
    }
  }
}

/// The tensors of a checkpoint while packed weights are read from it: each is used once.
final class PackedTensors {
  let store: any TensorStore
  /// How the numbers that weights meet are rounded, and the type of a model's other numbers.
  let activations: ActivationPrecision
  let dtype: DType
  private(set) var used: Set<String> = []
  /// What is remarkable about modules, with the number of those.
  private(set) var notes: [String: Int] = [:]

  init(_ store: any TensorStore, activations: ActivationPrecision, dtype: DType) {
    (self.store, self.activations, self.dtype) = (store, activations, dtype)
  }

  func has(_ name: String) -> Bool { store.header(named: name) != nil }

  func shape(_ name: String) -> [Int]? { store.header(named: name)?.shape }

  /// A tensor as it is stored, of a shape and one of some types.
  ///
  /// - Throws: ``ModelError``.
  func take(_ name: String, _ shape: [Int]? = nil, _ types: Set<DType>) throws -> Tensor {
    guard let header = store.header(named: name) else {
      throw ModelError.missingWeight(path: store.path, name: name)
    }
    if let shape, header.shape != shape {
      throw ModelError.wrongShape(
        path: store.path, name: name, found: header.shape, expected: shape)
    }
    guard let dtype = header.dtype, types.contains(dtype) else {
      throw failure(
        name,
        "it has the type \(header.dtype?.rawValue ?? "of blocks"); expected \(types.map(\.rawValue).sorted().joined(separator: " or "))"
      )
    }
    use(name)
    return try store.tensor(named: name)
  }

  /// The parts of a packed weight as MLX names them: `weight`, `scales` and, for affine codes, `biases`.
  ///
  /// - Parameters:
  ///   - module: The module that has them.
  ///   - format: How its numbers are stored.
  ///   - shape: Outputs and inputs.
  ///   - front: Dimensions before those of one matrix.
  /// - Returns: The parts, as they are stored.
  /// - Throws: ``ModelError``.
  func parts(
    _ module: String, _ format: PackedFormat, _ shape: [Int], front: [Int] = []
  ) throws -> (codes: Tensor, scales: Tensor, biases: Tensor?) {
    let (outputs, inputs) = (shape[0], shape[1])
    let words = front + [outputs, format.rowBytes(inputs: inputs) / 4]
    let groups = front + [outputs, format.rowGroups(inputs: inputs)]
    let types: Set<DType> = format.codes == .mxfp4 ? [.u8] : [.f32, .bf16, .f16]
    let codes = try take(module + ".weight", words, [.u32])
    let scales = try take(module + ".scales", groups, types)
    let biases = format.hasBiases ? try take(module + ".biases", groups, [scales.dtype]) : nil
    return (codes, scales, biases)
  }

  func use(_ name: String) { used.insert(name) }

  /// Notes something about one more module.
  func note(_ text: String) { notes[text, default: 0] += 1 }

  /// A packed weight of parts that have been read.
  ///
  /// - Throws: ``ModelError`` that names the module.
  func weight(
    _ module: String, _ format: PackedFormat, _ shape: [Int], codes: Tensor, scales: Tensor,
    biases: Tensor? = nil, order: Tensor? = nil
  ) throws -> PackedWeight {
    do {
      return try PackedWeight(
        format, shape: shape, codes: codes, scales: scales, biases: biases, order: order,
        activations: activations, dtype: dtype)
    } catch { throw failure(module, "\(error)") }
  }

  /// The format of a width and a group.
  ///
  /// - Throws: ``ModelError`` that names the module, if there is no such format.
  func format(
    _ module: String, _ codes: PackedFormat.Codes, bits: Int, group: Int
  ) throws -> PackedFormat {
    guard let format = PackedFormat(codes, bits: bits, group: group) else {
      throw failure(
        module,
        "\(bits) bits in groups of \(group) are not supported; widths are 2, 3, 4, 5, 6 and 8, groups 32, 64 and 128"
      )
    }
    return format
  }

  /// An error about a packed module or one of its tensors.
  func failure(_ name: String, _ problem: String) -> ModelError {
    .wrongPackedWeight(path: store.path, name: name, problem: problem)
  }
}
