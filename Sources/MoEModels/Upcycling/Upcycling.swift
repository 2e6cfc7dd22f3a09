import MoETokenizers
public import MoECore
import MoETensor
public import SystemPackage

/// Converts a dense model to one with experts that initially computes the same function.
public enum Upcycling {
  /// The new model and its comparison with the dense one.
  public struct Report: Hashable, Codable, Sendable {
    /// The family of the new model.
    public var family: String
    /// Indices of the sparse layers.
    public var sparseLayers: [Int]
    /// The number of weights.
    public var parameters: Int
    /// The size of all weights in bytes.
    public var bytes: Int
    /// The number of tokens on which both models were compared.
    public var comparedTokens: Int
    /// The largest difference of a logit between the two models, both computed in f32 from weights
    /// of the new type.
    public var largestDifference: Double
    /// The largest magnitude of the dense model's logits.
    public var largestLogit: Double
    /// The number of positions at which both models predict the same token.
    public var samePredictions: Int
  }

  /// The difference of logits explained by rounding, relative to the largest logit.
  ///
  /// Sums of equal outputs round a few times per layer. If the number of slices is not a power of
  /// two, scaling weights with fewer bits than f32 rounds each of them once more.
  static func tolerance(split: Int, dtype: DType) -> Double {
    let isExact = split & (split - 1) == 0 || dtype.byteSize >= 4
    return isExact ? 1e-3 : 5e-2
  }

  private static let text = """
    The river was wide and slow, and on its far side the lights of the town came on one after another. \
    "We could still cross tonight," she said, counting 37 boats at the pier.
    """

  /// Writes an upcycled model to a folder, atomically.
  ///
  /// Tensors are created and written one at a time, and both models are compared layer by layer, so
  /// memory holds only a layer and the vocabulary's matrices, regardless of the models' sizes.
  ///
  /// - Parameters:
  ///   - dense: The dense model.
  ///   - plan: The changes to make.
  ///   - path: A new folder.
  ///   - progress: Receives progress.
  /// - Returns: A report, with the evidence that outputs did not change.
  /// - Throws: ``UpcyclingError`` if the plan does not fit, or if outputs without noise changed
  ///   beyond rounding; ``NonFiniteScores`` if a model's scores mean nothing; ``ModelError``, `FileError` and others if the dense model cannot be read or
  ///   the new one cannot be written; nothing is left behind in these cases.
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
    let found = try LayerwiseForward.logits(new, tokens: tokens, roundedTo: plan.dtype) {
      done(layers + $0)
    }
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

  /// A short text in the model's tokens, or, without a tokenizer, ids spread over the vocabulary.
  private static func comparedTokens(_ model: StoredModel) -> [Int] {
    let c = model.configuration
    let tokens = (try? model.tokenizer())?.encode(text) ?? []
    let isUsable = tokens.count > 1 && tokens.allSatisfy { $0 < c.vocabularySize }
    let spread = (0..<48).map { $0 * 7_919 % c.vocabularySize }
    return Array((isUsable ? tokens : spread).prefix(c.contextLength))
  }
}

extension Tensor {
  /// The largest magnitude of an element.
  fileprivate var largestMagnitude: Double {
    Double(abs().reshaped([-1]).max(axis: 0).item(as: Float.self))
  }
}
