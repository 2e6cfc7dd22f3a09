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
  /// - Throws: ``MoEModels/ModelError/alreadyPacked(path:)``.
  public init(
    _ model: StoredModel, _ plan: QuantizationPlan, _ method: any QuantizationMethod,
    named name: String
  ) throws {
    guard !model.isPacked else { throw ModelError.alreadyPacked(path: model.path) }
    (self.model, self.plan, self.method, methodName) = (model, plan, method, name)
  }

  /// Writes the folder, which appears with all its files or not at all.
  ///
  /// - Parameters:
  ///   - folder: A new folder.
  ///   - progress: Receives the number of bytes written.
  /// - Returns: Bytes of the tensors.
  /// - Throws: `FileError`, or what packing throws.
  @discardableResult
  public func write(
    to folder: FilePath, progress: @escaping ProgressHandler = { _ in }
  ) throws -> ByteCount {
    let weights = try model.storedWeights()
    let layout = PackedLayout(
      weights.map { ($0.name, $0.parameter.value) }, plan, scales: scaleType)
    let configuration = try JSONText.pretty(model.json(quantizedAs: settings))
    var packed: (module: String, weight: PackedWeight)?
    let byName = Dictionary(uniqueKeysWithValues: weights.map { ($0.name, $0.parameter.value) })
    try AtomicDirectory.write(to: folder) { folder in
      try SafetensorsCheckpoint.write(
        layout.items, into: folder, layout: .asGiven(page: PackedLayout.page), progress: progress
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
    return ByteCount(layout.items.reduce(0) { $0 + $1.byteCount })
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

  private var scaleType: DType? { (method as? RoundToNearest)?.scales }

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

  private(set) var items: [SafetensorsItem] = []
  private(set) var sources: [String: Source] = [:]
  private var bytes = 0
  private var paddings = 0

  /// Dense weights in their order, then the experts, each with all its projections.
  init(_ weights: [(name: String, value: Tensor)], _ plan: QuantizationPlan, scales: DType?) {
    let modules = Dictionary(uniqueKeysWithValues: plan.modules.map { ($0.name + ".weight", $0) })
    var experts: [(expert: String, names: [String])] = []
    var places: [String: Int] = [:]
    let values = Dictionary(uniqueKeysWithValues: weights.map { ($0.name, $0.value) })
    for (name, value) in weights {
      guard let module = modules[name], module.kind == .experts else {
        add(name, value, modules[name], scales)
        continue
      }
      let expert = module.name.split(separator: ".").dropLast().joined(separator: ".")
      if let place = places[expert] {
        experts[place].names.append(name)
      } else {
        places[expert] = experts.count
        experts.append((expert, [name]))
      }
    }
    for expert in experts {
      pad()
      for name in expert.names {
        if let value = values[name] { add(name, value, modules[name], scales) }
      }
    }
  }

  private mutating func add(
    _ name: String, _ value: Tensor, _ module: QuantizationPlan.Module?, _ scales: DType?
  ) {
    guard let module, let format = module.format else {
      append(SafetensorsItem(name: name, dtype: value.dtype, shape: value.shape), .dense(name))
      return
    }
    let (outputs, inputs) = (module.shape[0], module.shape[1])
    let type = scales ?? value.dtype, groups = [outputs, format.rowGroups(inputs: inputs)]
    for part in Part.allCases where part != .biases || format.hasBiases {
      let isCodes = part == .weight
      append(
        SafetensorsItem(
          name: "\(module.name).\(part.rawValue)", dtype: isCodes ? .u32 : type,
          shape: isCodes ? [outputs, format.rowBytes(inputs: inputs) / 4] : groups),
        .part(module, part))
    }
  }

  private mutating func pad() {
    let count = (Self.page - bytes % Self.page) % Self.page
    guard count > 0 else { return }
    append(
      SafetensorsItem(name: "padding.\(paddings)", dtype: .u8, shape: [count]), .padding)
    paddings += 1
  }

  private mutating func append(_ item: SafetensorsItem, _ source: Source) {
    // Every tensor begins at a multiple of its element's size, as other programs expect.
    let step = item.dtype.byteSize, gap = (step - bytes % step) % step
    if gap > 0 {
      items.append(SafetensorsItem(name: "padding.\(paddings)", dtype: .u8, shape: [gap]))
      sources["padding.\(paddings)"] = .padding
      paddings += 1
    }
    items.append(item)
    sources[item.name] = source
    bytes += gap + item.byteCount
  }
}
