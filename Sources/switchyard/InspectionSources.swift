import MoETokenizers
import Foundation
import MoECore
import MoEModels
import MoEPlacement
import MoETracing
import MoETraining
import SystemPackage

extension PathArgument {
  /// Whether the path leads to a model rather than to a trace or counts.
  var isModel: Bool {
    path.extension == "gguf"
      || FileManager.default.fileExists(atPath: path.appending("config.json").string)
  }
}

/// A trace, or counts where nothing else is known.
enum RoutingSource {
  case trace(RoutingTrace)
  case counts(RoutingCounts)

  init(_ path: FilePath) throws {
    self =
      try path.extension == "safetensors"
      ? .trace(RoutingTrace(path)) : .counts(CountMatrix.read(path))
  }

  /// All that drift compares.
  func counts() throws -> RoutingCounts {
    switch self {
    case .trace(let trace): try RoutingCounts(trace, tables: [.firstTransitions])
    case .counts(let counts): counts
    }
  }
}

/// A report with advice about placement: what `inspect` prints.
struct Inspection: Encodable {
  var report: TraceReport
  var placement: PlacementAdvice?

  /// Tokens of each part beyond which advice does not change.
  private static let adviceTokens = 1_000_000

  init(_ source: RoutingSource, tokenizer: Tokenizer?, devices: Int) throws {
    switch source {
    case .counts(let counts): report = TraceReport(counts)
    case .trace(let trace):
      report = try TraceReport(trace, classes: tokenizer.map { try TokenClasses($0) })
      guard trace.tokenCount >= 2, report.layers.count > 1, report.experts >= devices else {
        return
      }
      guard report.experts.isMultiple(of: devices) else {
        report.diagnosis.append(
          "\(report.experts) experts do not divide over \(devices) devices; choose --devices to learn what placement saves."
        )
        return
      }
      let study = try PlacementStudy(trace, heldOut: 0.5, limit: Self.adviceTokens)
      let advice = try PlacementAdvice(study, devices: devices)
      report.diagnosis += advice.sentences
      placement = advice
    }
  }

  private enum CodingKeys: String, CodingKey { case placement }

  func encode(to encoder: any Encoder) throws {
    try report.encode(to: encoder)
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(placement, forKey: .placement)
  }
}

extension TokenClasses {
  /// Classifies a tokenizer's vocabulary by what each token adds to a text.
  init(_ tokenizer: Tokenizer) throws {
    // A letter in front, because some decoders drop the space before the first word.
    let anchor = tokenizer.encode("a", addingSpecialTokens: false)
    let prefix = try tokenizer.decode(anchor)
    let ids = 0..<tokenizer.vocabularyCount
    let texts = try ids.map { id -> String? in
      guard tokenizer.token(id) != nil else { return nil }
      let text = try tokenizer.decode(anchor + [id], skippingSpecialTokens: false)
      return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    }
    self.init(texts, specials: Set(ids.filter { tokenizer.isSpecial($0) }))
  }
}

/// The models that a training run has kept.
struct RunFolder {
  /// Steps, rising, and the folders of their models.
  let models: [(step: Int, path: FilePath)]
  /// Name of the folder.
  let name: String

  /// Looks into a folder; `nil` if it is no run with models.
  init?(_ path: FilePath) {
    guard FileManager.default.fileExists(atPath: path.appending("run.json").string) else {
      return nil
    }
    let snapshots = CheckpointStore(path.appending("snapshots"))
    var models = snapshots.steps().map { (step: $0, path: snapshots.path(ofStep: $0)) }
    let final = path.appending("model")
    if FileManager.default.fileExists(atPath: final.appending("config.json").string),
      let step = CheckpointStore(path.appending("checkpoints")).steps().last
    {
      models.removeAll { $0.step >= step }
      models.append((step, final))
    }
    guard !models.isEmpty else { return nil }
    (self.models, name) = (models, path.lastComponent?.string ?? path.string)
  }
}

/// A folder for traces that nobody wants to keep.
struct TemporaryTraces {
  let path: FilePath

  init() throws {
    path = FilePath(NSTemporaryDirectory()).appending("switchyard-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      atPath: path.string, withIntermediateDirectories: true)
  }

  func remove() { try? FileManager.default.removeItem(atPath: path.string) }
}
