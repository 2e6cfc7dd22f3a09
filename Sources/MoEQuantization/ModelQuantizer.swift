public import MoECore
public import MoEModels
import MoETensor
public import SystemPackage

/// Writes a model whose linear layers are packed, in Switchyard's own format.
///
/// The folder opens as any other model's. Each expert is contiguous in its file and begins on a page, so that the page
/// cache keeps the experts that are used.
/// - SeeAlso: `Documentation/quantization.md`.
public struct ModelQuantizer {
  private let model: StoredModel
  private let plan: QuantizationPlan
  private let method: any QuantizationMethod
  private let methodName: String

  /// Prepares the work; nothing is read or written yet.
  ///
  /// - Parameters:
  ///   - model: The model, with dense weights.
  ///   - plan: The format of each layer.
  ///   - method: How weights are packed.
  ///   - name: The method's name, for the record in `config.json`.
  /// - Throws: ``MoEModels/ModelError/alreadyPacked(path:)``, or ``NothingToPack`` for a plan that leaves all weights as
  ///   they are.
  public init(
    _ model: StoredModel, _ plan: QuantizationPlan, _ method: any QuantizationMethod,
    named name: String
  ) throws {
    guard !model.isPacked else { throw ModelError.alreadyPacked(path: model.path) }
    guard !plan.formats.isEmpty else { throw NothingToPack() }
    (self.model, self.plan, self.method, methodName) = (model, plan, method, name)
  }

  /// What the files hold.
  public struct Contents: Hashable, Sendable {
    /// Bytes of each weight by its name, with scales and biases.
    public var weights: [String: Int]
    /// Bytes of the gaps between them.
    public var gaps: Int
    /// Bytes of all.
    public var bytes: ByteCount { ByteCount(weights.values.reduce(gaps, +)) }
  }

  /// What the files will hold, from the headers of the weights.
  ///
  /// - Throws: ``MoEModels/ModelError``.
  public func contents() throws -> Contents { layout(of: try model.storedWeights()).contents }

  private func layout(
    of weights: [NamedParameter], shardLimit: ByteCount = Self.shardLimit
  ) -> PackedLayout {
    PackedLayout(
      weights.map { ($0.name, $0.parameter.value) }, plan, scales: method.scales,
      shardLimit: shardLimit)
  }

  /// The most bytes of one file, unless one expert has more.
  public static let shardLimit = ByteCount(5_000_000_000)

  /// Writes the folder, which appears with all its files or not at all.
  ///
  /// - Parameters:
  ///   - folder: A new folder.
  ///   - shardLimit: The most bytes of one file; an expert is never divided.
  ///   - progress: Receives the number of bytes written.
  /// - Returns: What the files hold.
  /// - Throws: `FileError`, or what packing throws.
  @discardableResult
  public func write(
    to folder: FilePath, shardLimit: ByteCount = Self.shardLimit,
    progress: @escaping ProgressHandler = { _ in }
  ) throws -> Contents {
    let weights = try model.storedWeights()
    let layout = layout(of: weights, shardLimit: shardLimit)
    let configuration = try JSONText.pretty(model.json(quantizedAs: settings))
    var packed: (module: String, weight: PackedWeight)?
    let byName = Dictionary(uniqueKeysWithValues: weights.map { ($0.name, $0.parameter.value) })
    try AtomicDirectory.write(to: folder) { folder in
      try SafetensorsCheckpoint.write(
        shards: layout.shards, into: folder, layout: .asGiven(page: PackedLayout.page),
        progress: progress
      ) { item in
        switch layout.sources[item.name] {
        case .padding, nil: return [UInt8](repeating: 0, count: item.byteCount)
        case .dense(let name): return byName[name] ?? Tensor.zeros([0])
        case .part(let module, let part):
          if packed?.module != module.name {
            packed = (module.name, try pack(module, byName))
          }
          guard let weight = packed?.weight else { preconditionFailure("nothing was packed") }
          return part.tensor(of: weight)
        }
      }
      try model.writeCompanions(into: folder, configuration: configuration)
    }
    return layout.contents
  }

  private func pack(
    _ module: QuantizationPlan.Module, _ weights: [String: Tensor]
  ) throws -> PackedWeight {
    let name = module.name + ".weight"
    guard let weight = weights[name], let format = module.format else {
      throw ModelError.missingWeight(path: model.path, name: name)
    }
    return try method.pack(name, weight, to: format)
  }

  /// The entry of `config.json`.
  private var settings: JSONValue {
    var modules = JSONObject()
    for module in plan.modules {
      if let format = module.format { modules[module.name] = format.configuration }
    }
    return .object([
      "quant_method": .string("switchyard"), "version": .number(1), "method": .string(methodName),
      "modules": .object(modules),
    ])
  }
}

/// A plan leaves all weights as they are.
public struct NothingToPack: Error, Hashable, CustomStringConvertible {
  /// What is wrong and what to change.
  public var description: String {
    "these bits leave every weight as it is; name fewer than 16 for a kind of modules that the model has"
  }
}

/// The tensors of a packed model, in the order of its file.
private struct PackedLayout {
  /// The size of a page, on which each expert begins.
  static let page = 4096

  enum Part: String, CaseIterable {
    case weight, scales, biases

    func tensor(of packed: PackedWeight) -> Tensor {
      switch self {
      case .weight: packed.codes
      case .scales: packed.scales
      case .biases: packed.biases ?? Tensor.zeros([0])
      }
    }
  }

  enum Source {
    case dense(String)
    case part(QuantizationPlan.Module, Part)
    case padding
  }

  /// The tensors of each file.
  private(set) var shards: [[SafetensorsItem]] = [[]]
  private(set) var sources: [String: Source] = [:]
  private(set) var contents = ModelQuantizer.Contents(weights: [:], gaps: 0)
  private let scales: DType?
  private let shardLimit: ByteCount
  /// Bytes of the last file.
  private var bytes = 0
  private var paddings = 0

  /// Dense weights in their order, then the experts, each with all its projections.
  init(
    _ weights: [(name: String, value: Tensor)], _ plan: QuantizationPlan, scales: DType?,
    shardLimit: ByteCount
  ) {
    (self.scales, self.shardLimit) = (scales, shardLimit)
    let modules = Dictionary(uniqueKeysWithValues: plan.modules.map { ($0.name + ".weight", $0) })
    var experts: [[(item: SafetensorsItem, source: Source)]] = []
    var places: [String: Int] = [:]
    for (name, value) in weights {
      let items = items(name, value, modules[name])
      contents.weights[name] = items.reduce(0) { $0 + $1.item.byteCount }
      guard let module = modules[name], module.kind == .experts else {
        place(items)
        continue
      }
      let expert = module.name.split(separator: ".").dropLast().joined(separator: ".")
      if let place = places[expert] {
        experts[place] += items
      } else {
        places[expert] = experts.count
        experts.append(items)
      }
    }
    for expert in experts { place(expert, onPage: true) }
  }

  private func items(
    _ name: String, _ value: Tensor, _ module: QuantizationPlan.Module?
  ) -> [(item: SafetensorsItem, source: Source)] {
    guard let module, let format = module.format else {
      return [(SafetensorsItem(name: name, dtype: value.dtype, shape: value.shape), .dense(name))]
    }
    let (outputs, inputs) = (module.shape[0], module.shape[1])
    let type = scales ?? PackedWeight.scaleType(for: value.dtype)
    let groups = [outputs, format.rowGroups(inputs: inputs)]
    return Part.allCases.filter { $0 != .biases || format.hasBiases }.map { part in
      let isCodes = part == .weight
      let item = SafetensorsItem(
        name: "\(module.name).\(part.rawValue)", dtype: isCodes ? .u32 : type,
        shape: isCodes ? [outputs, format.rowBytes(inputs: inputs) / 4] : groups)
      return (item, .part(module, part))
    }
  }

  /// Adds tensors that belong together: to the last file, or to a new one if that would grow above the limit.
  private mutating func place(
    _ items: [(item: SafetensorsItem, source: Source)], onPage: Bool = false
  ) {
    // With the gaps before them: no tensor has elements of more than 8 bytes.
    let size = items.reduce(onPage ? Self.page : 0) { $0 + $1.item.byteCount + 8 }
    if bytes > 0, bytes + size > shardLimit.bytes {
      shards.append([])
      bytes = 0
    }
    if onPage { pad() }
    for (item, source) in items {
      // As other programs expect.
      pad(to: item.dtype.byteSize)
      append(item, source)
    }
  }

  /// Makes the next tensor begin at a multiple of some bytes.
  private mutating func pad(to step: Int = page) {
    let count = (step - bytes % step) % step
    guard count > 0 else { return }
    let item = SafetensorsItem(name: "padding.\(paddings)", dtype: .u8, shape: [count])
    paddings += 1
    contents.gaps += count
    append(item, .padding)
  }

  private mutating func append(_ item: SafetensorsItem, _ source: Source) {
    shards[shards.count - 1].append(item)
    sources[item.name] = source
    bytes += item.byteCount
  }
}
