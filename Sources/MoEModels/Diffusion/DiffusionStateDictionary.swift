public import MoECore
import MoETensor
public import SystemPackage

/// The weights of a diffusion transformer in a `.pt` or `.pth` file, as the paper's code and DiT's save them.
///
/// Nothing in the file is executed. What wrappers put into names (`module.`, `_orig_mod.`) is left out.
public final class DiffusionStateDictionary {
  /// Which of a checkpoint's weights are used.
  public enum Choice: Hashable, Sendable {
    /// The running average, which is meant for making images; the only weights if there is none.
    case average
    /// The trained weights.
    case trained

    /// Keys of the dictionaries, in order of preference.
    var keys: [String] {
      switch self {
      case .average: ["ema_model_state_dict", "ema", "model_state_dict", "model", "state_dict"]
      case .trained: ["model_state_dict", "model", "state_dict"]
      }
    }
  }

  private let file: PyTorchFile
  private let tensors: [String: PickleTensor]
  /// The number of classes among the arguments of the training, if they were saved.
  private let statedClasses: Int?
  /// Names of tensors that are not used by the model.
  var unused: [String] { tensors.keys.filter { !used.contains($0) }.sorted() }
  private var used: Set<String> = []

  /// Opens a file.
  ///
  /// - Throws: `PickleError` or `FileError`; ``ModelError`` when it holds no tensors.
  public init(_ path: FilePath, _ choice: Choice = .average) throws {
    let opened = try PyTorchFile(path)
    let found = try choice.keys.compactMap { opened.value[$0] }.map { try Self.tensors($0, path) }
    (file, tensors) = (
      opened, try found.first { !$0.isEmpty } ?? Self.tensors(opened.value, path)
    )
    statedClasses = opened.value["args"]?["num_classes"]?.integer
    guard !tensors.isEmpty else {
      throw ModelError.missingWeight(path: path, name: "x_embedder.proj.weight")
    }
  }

  private static func tensors(
    _ value: PickleValue, _ path: FilePath
  ) throws(ConfigurationError) -> [String: PickleTensor] {
    guard case .dictionary(let entries) = value else { return [:] }
    var result: [String: PickleTensor] = [:]
    for entry in entries {
      guard case .string(let name) = entry.key, case .tensor(let tensor) = entry.value else {
        continue
      }
      let plain = Self.unwrapped(name)
      guard result.updateValue(tensor, forKey: plain) == nil else {
        throw .invalidValue(
          path: path, key: plain, value: "stored more than once, with and without a wrapper's name",
          expected: "stored once")
      }
    }
    return result
  }

  /// A weight's name without the names of what wrapped the model or a part of it for training: `module.` of data
  /// parallelism at the start; anywhere, those of compilation, recomputation and sharding.
  static func unwrapped(_ name: String) -> String {
    let wrappers = ["_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module"]
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.filter { !wrappers.contains(String($0)) }.drop { $0 == "module" }
      .joined(separator: ".")
  }

  /// What the tensors say about the model.
  var contents: DiffusionContents {
    DiffusionContents(path: file.path, shapes: tensors.mapValues(\.shape))
  }

  /// The architecture of the tensors; what they do not say is taken from the paper's released
  /// models.
  ///
  /// - Throws: ``ModelError`` when a tensor is missing, `ConfigurationError` for shapes that no model has.
  public func configuration() throws -> DiffusionConfiguration {
    try contents.configuration(classes: statedClasses)
  }

  /// What the user should know about an assumed architecture; `nil` if nothing.
  ///
  /// Tensors do not say whether the last row of the table of labels is a class or stands for no label.
  public func doubt(about assumed: DiffusionConfiguration) -> String? {
    guard assumed.hasNullLabel, statedClasses != assumed.classes else { return nil }
    let rows = assumed.classes + 1
    return
      "the last of the \(rows) rows of y_embedder.embedding_table.weight is taken for images without a label, which leaves \(assumed.classes) classes; if the model was trained without label dropout, it is a class: then give a configuration with num_classes \(rows) and label_dropout 0"
  }

  /// The entry of a tensor, checked for existence, shape and a floating-point type.
  private func entry(_ name: String, _ shape: [Int]) throws(ModelError) -> PickleTensor {
    try checked(name, shape)
    guard let tensor = tensors[name] else { throw .missingWeight(path: path, name: name) }
    used.insert(name)
    return tensor
  }

  /// Writes a model folder: `config.json` and safetensors under the same names.
  ///
  /// - Parameters:
  ///   - folder: The folder, which must not exist yet; it appears complete or not at all.
  ///   - configuration: The architecture; `nil` for what the tensors show.
  ///   - progress: Told the bytes written so far.
  /// - Returns: Names of tensors that belong to no part of the model and were left out.
  /// - Throws: ``ModelError`` or `ConfigurationError` before anything is written, `PickleError` or `FileError`.
  @discardableResult
  public func write(
    to folder: FilePath, as configuration: DiffusionConfiguration? = nil,
    progress: ProgressHandler = { _ in }
  ) throws -> [String] {
    let known = try configuration ?? self.configuration()
    try contents.check(known)
    let items = try known.tensorShapes().map { entry in
      let tensor = try self.entry(entry.name, entry.shape)
      return SafetensorsItem(name: entry.name, dtype: tensor.dtype, shape: entry.shape)
    }
    let text = try known.json()
    try AtomicDirectory.write(to: folder) { folder in
      try AtomicFile.write(text, to: folder.appending("config.json"))
      try SafetensorsCheckpoint.write(items, into: folder, progress: progress) { item in
        try file.bytes(of: try entry(item.name, item.shape))
      }
    }
    return unused
  }
}

extension DiffusionStateDictionary: TensorStore {
  var path: FilePath { file.path }
  var names: [String] { tensors.keys.sorted() }

  func header(named name: String) -> TensorHeader? {
    tensors[name].map { TensorHeader(shape: $0.shape, dtype: $0.dtype) }
  }

  func tensor(named name: String) throws -> Tensor {
    guard let tensor = tensors[name] else {
      throw ModelError.missingWeight(path: path, name: name)
    }
    let bytes = try file.bytes(of: tensor)
    func read<Element: TensorScalar>(_ type: Element.Type) -> Tensor {
      unsafe bytes.withUnsafeBytes {
        unsafe Tensor($0.bindMemory(to: Element.self).span, shape: tensor.shape)
      }
    }
    return switch tensor.dtype {
    case .f64: read(Double.self)
    case .bf16: read(BFloat16.self)
    case .f16: read(Float16.self)
    default: read(Float.self)
    }
  }
}

@available(*, unavailable)
extension DiffusionStateDictionary: Sendable {}
