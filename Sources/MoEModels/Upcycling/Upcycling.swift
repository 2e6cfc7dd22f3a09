import MoETokenizers
public import MoECore
import MoETensor
public import SystemPackage

/// Turns a dense model into one with experts whose first answers are the dense model's.
public enum Upcycling {
  /// What was written and how it compares.
  public struct Report: Hashable, Codable, Sendable {
    /// Family of the new model.
    public var family: String
    /// Places of the sparse layers.
    public var sparseLayers: [Int]
    /// Weights in all.
    public var parameters: Int
    /// Bytes of all weights.
    public var bytes: Int
    /// Tokens of the text on which both models were compared.
    public var comparedTokens: Int
    /// Largest difference of a logit between the dense model and the new one, both computed in f32 from
    /// weights of the new type.
    public var largestDifference: Double
    /// Largest magnitude of the dense model's logits.
    public var largestLogit: Double
    /// Positions at which both models hold the same token for the best.
    public var samePredictions: Int
  }

  /// Differences of logits that rounding explains, relative to the largest logit.
  ///
  /// Sums of equal answers round a few times per layer. Where a number of slices that is no power of two
  /// scales weights of fewer bits than f32, each of them rounds once more.
  static func tolerance(split: Int, dtype: DType) -> Double {
    let isExact = split & (split - 1) == 0 || dtype.byteSize >= 4
    return isExact ? 1e-3 : 5e-2
  }

  private static let text = """
    The river was wide and slow, and on its far side the lights of the town came on one after another. \
    "We could still cross tonight," she said, counting 37 boats at the pier.
    """

  /// Writes an upcycled model as a folder that appears whole or not at all.
  ///
  /// Tensors are made and written one at a time, and both models are compared layer by layer, so that memory
  /// holds a layer and the vocabulary's matrices, however large the models are.
  ///
  /// - Parameters:
  ///   - dense: The dense model.
  ///   - plan: How it is to be changed.
  ///   - path: A new folder.
  ///   - progress: Told what is done.
  /// - Returns: What was written, and the proof that answers did not change.
  /// - Throws: ``UpcyclingError`` when the plan does not fit, or when answers without noise changed beyond
  ///   rounding; ``ModelError``, `FileError` and others when the dense model cannot be read or the new one
  ///   not be written; nothing is left behind then.
  public static func write(
    _ dense: StoredModel, as plan: UpcyclingPlan, to path: FilePath,
    progress: ProgressHandler = { _ in }
  ) throws -> Report {
    let resolved = try ResolvedPlan(
      plan, for: dense.configuration, storedType: try dense.storedType())
    _ = try dense.inventory()
    let tokenizer = try dense.tokenizerFiles()
    let tensors = try UpcycledTensors(dense, resolved)
    return try AtomicDirectory.write(to: path) { folder in
      let configuration = try resolved.configurationText(dense.json)
      try AtomicFile.write(configuration, to: folder.appending("config.json"))
      let record = try resolved.recordText(source: dense.path.lastComponent?.string ?? "")
      try AtomicFile.write(record, to: folder.appending("upcycling.json"))
      for file in tokenizer { try file.write(into: folder) }
      try SafetensorsCheckpoint.write(
        tensors.items, into: folder, shardLimit: plan.shardLimit, progress: progress
      ) { try tensors.contents($0) }
      let report = try compare(dense, try StoredModel(folder), resolved, progress)
      let tolerance =
        Self.tolerance(split: plan.split, dtype: resolved.dtype) * max(1, report.largestLogit)
      guard plan.noise > 0 || report.largestDifference <= tolerance else {
        throw UpcyclingError.changedAnswers(
          difference: report.largestDifference, tolerance: tolerance)
      }
      return report
    }
  }

  private static func compare(
    _ dense: StoredModel, _ new: StoredModel, _ plan: ResolvedPlan, _ progress: ProgressHandler
  ) throws -> Report {
    let tokens = comparedTokens(dense)
    let layers = dense.configuration.layers.count
    func done(_ count: Int) {
      progress(Progress("comparing answers", completed: count, total: 2 * layers))
    }
    let expected = try LayerwiseForward.logits(
      dense, tokens: tokens, roundedTo: plan.dtype, progress: done)
    let found = try LayerwiseForward.logits(new, tokens: tokens) { done(layers + $0) }
    let weights = try new.inventory().weights
    let (best, expectedBest) = (found.argmax(axis: 1), expected.argmax(axis: 1))
    return Report(
      family: new.configuration.family, sparseLayers: new.configuration.sparseLayers,
      parameters: weights.reduce(0) { $0 + $1.count }, bytes: weights.reduce(0) { $0 + $1.bytes },
      comparedTokens: tokens.count, largestDifference: (found - expected).largestMagnitude,
      largestLogit: expected.largestMagnitude,
      samePredictions: zip(best.array(of: Int.self), expectedBest.array(of: Int.self))
        .count { $0 == $1 })
  }

  /// A short text in the model's own tokens, or numbers spread over a vocabulary without a tokenizer.
  private static func comparedTokens(_ model: StoredModel) -> [Int] {
    let c = model.configuration
    let tokens = (try? model.tokenizer())?.encode(text) ?? []
    let isUsable = tokens.count > 1 && tokens.allSatisfy { $0 < c.vocabularySize }
    let spread = (0..<48).map { $0 * 7_919 % c.vocabularySize }
    return Array((isUsable ? tokens : spread).prefix(c.contextLength))
  }
}

extension Tensor {
  /// The largest magnitude of an element; infinite where one is not a number.
  fileprivate var largestMagnitude: Double {
    let largest = Double(abs().reshaped([-1]).max(axis: 0).item(as: Float.self))
    return largest.isNaN ? .infinity : largest
  }
}
