import MoECore
public import SystemPackage

/// File formats of plans: Switchyard's own, and those of engines that can load one.
public enum PlanFormat: String, CaseIterable, Codable, Sendable {
  /// Switchyard's JSON, which keeps everything.
  case plan
  /// ExFlow's CSV: `Expert,Node` with global expert ids; no replicas.
  case exflow
  /// SGLang's `--init-expert-location` JSON: one row per layer of the model, dense ones included.
  case sglang
  /// vLLM-Ascend's expert map JSON.
  case ascend
  /// TensorRT-LLM's load-balancer YAML.
  case tensorrt

  /// The largest file that is read.
  static let byteLimit = 256_000_000
}

/// Information that is missing from files in other systems' formats.
public struct PlanHints: Hashable, Sendable {
  /// Number of ranks; required for formats that do not store it.
  public var ranks: Int?
  /// Experts per layer (default: one more than the largest in the file).
  public var experts: Int?
  /// The model's layers with experts (default: all in the file).
  public var layerIDs: [Int]?
  /// Number of nodes.
  public var nodes: Int

  /// Collects the known values.
  public init(ranks: Int? = nil, experts: Int? = nil, layerIDs: [Int]? = nil, nodes: Int = 1) {
    (self.ranks, self.experts, self.layerIDs, self.nodes) = (ranks, experts, layerIDs, nodes)
  }
}

extension PlacementPlan {
  /// Writes the plan in a system's format.
  ///
  /// - Parameters:
  ///   - path: The file, which is written atomically.
  ///   - format: The format.
  ///   - modelLayers: Layers of the whole model, dense ones included (default: up to the last with
  ///     experts). SGLang expects a row for each; dense layers get the experts in order, which are
  ///     never looked up.
  /// - Throws: ``PlacementError`` for an illegal plan, or one that the format cannot represent, and
  ///   `FileError`.
  public func write(
    to path: FilePath, as format: PlanFormat = .plan, modelLayers: Int? = nil
  ) throws {
    try validate()
    let text =
      switch format {
      case .plan: jsonText
      case .exflow: try exflowText()
      case .sglang: try sglangText(modelLayers: modelLayers)
      case .ascend: ascendText
      case .tensorrt: tensorrtText
      }
    try AtomicFile.write(text, to: path)
  }

  /// Reads a plan without validating it; see ``violations``.
  ///
  /// - Throws: ``PlacementError/invalidFile(path:message:)`` and `FileError`.
  public init(
    contentsOf path: FilePath, as format: PlanFormat = .plan, hints: PlanHints = PlanHints()
  ) throws {
    let file = try MappedFile(path)
    guard file.count <= PlanFormat.byteLimit else {
      throw PlacementError.invalidFile(
        path: path.string.printable,
        message: "\(file.count) bytes are more than any plan; name a plan file")
    }
    let bytes = file.withBytes { span in unsafe span.withUnsafeBytes { unsafe Array($0) } }
    do {
      self =
        switch format {
        case .plan: try Self.parseJSON(bytes)
        case .exflow: try Self.parseExFlow(bytes, hints)
        case .sglang: try Self.parseSGLang(bytes, hints)
        case .ascend: try Self.parseAscend(bytes, hints)
        case .tensorrt: try Self.parseTensorRT(bytes, hints)
        }
    } catch let refusal as PlanRefusal {
      throw PlacementError.invalidFile(path: path.string.printable, message: refusal.message)
    }
  }
}

/// Why bytes are not a plan; the reader adds the file.
struct PlanRefusal: Error {
  let message: String
  init(_ message: String) { self.message = message.printable }
}

extension PlacementPlan {
  /// Builds a plan from rows of slots and hints for what the file leaves open.
  static func assemble(
    rows: [[Int]], layerIDs: [Int], ranks: Int?, _ hints: PlanHints
  ) throws -> PlacementPlan {
    guard let first = rows.first, !first.isEmpty else {
      throw PlanRefusal("it holds no layer with slots; expected a list per layer")
    }
    guard let ranks = hints.ranks ?? ranks else {
      throw PlanRefusal("the format does not say how many ranks there are; give --ranks")
    }
    var (rows, ids) = (rows, layerIDs)
    if let wanted = hints.layerIDs {
      var kept: [[Int]] = []
      for layer in wanted {
        guard let place = ids.firstIndex(of: layer) else {
          throw PlanRefusal("it has no layer \(layer); its layers are \(Self.short(ids))")
        }
        kept.append(rows[place])
      }
      (rows, ids) = (kept, wanted)
    }
    let experts = hints.experts ?? (rows.joined().max() ?? 0) + 1
    guard experts >= 1, experts <= PlacementProblem.maximumExperts else {
      throw PlanRefusal(
        "its largest expert is \(experts - 1); experts are 0…\(PlacementProblem.maximumExperts - 1)"
      )
    }
    guard ranks >= 1, ranks <= PlacementTopology.maximumRanks else {
      throw PlanRefusal("\(ranks) ranks; there can be 1…\(PlacementTopology.maximumRanks)")
    }
    return PlacementPlan(
      layerIDs: ids, experts: experts, ranks: ranks, nodes: hints.nodes, slots: rows)
  }

  private static func short(_ ids: [Int]) -> String {
    ids.count <= 8 ? "\(ids)" : "\(ids.count) from \(ids[0]) to \(ids[ids.count - 1])"
  }
}
