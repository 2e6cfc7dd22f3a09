import Foundation
import MoECore

/// How the next token is chosen from a model's scores.
public struct SamplingSettings: Hashable, Sendable {
  /// Divides the logits: 0 always takes the most likely token, 1 follows the model, more is more
  /// random.
  public var temperature: Double
  /// Only this many of the most likely tokens; `nil` for no limit.
  public var topK: Int?
  /// Only the most likely tokens whose probabilities sum to at least this.
  public var topP: Double
  /// Only tokens with at least this fraction of the largest probability.
  public var minP: Double
  /// Divides positive logits, and multiplies negative ones, of tokens that have occurred; 1 for
  /// none.
  public var repetitionPenalty: Double

  /// Creates settings; the defaults follow the model.
  ///
  /// - Throws: ``SamplingError`` for values out of range.
  public init(
    temperature: Double = 1, topK: Int? = nil, topP: Double = 1, minP: Double = 0,
    repetitionPenalty: Double = 1
  ) throws(SamplingError) {
    (self.temperature, self.topK, self.topP) = (temperature, topK, topP)
    (self.minP, self.repetitionPenalty) = (minP, repetitionPenalty)
    guard temperature >= 0, temperature.isFinite else {
      throw SamplingError(
        setting: "temperature", value: "\(temperature)", expected: "finite and at least 0")
    }
    if let topK, topK < 1 {
      throw SamplingError(setting: "top-k", value: "\(topK)", expected: "at least 1")
    }
    guard topP > 0, topP <= 1 else {
      throw SamplingError(setting: "top-p", value: "\(topP)", expected: "above 0 and at most 1")
    }
    guard minP >= 0, minP < 1 else {
      throw SamplingError(setting: "min-p", value: "\(minP)", expected: "at least 0 and below 1")
    }
    guard repetitionPenalty > 0, repetitionPenalty.isFinite else {
      throw SamplingError(
        setting: "repetition penalty", value: "\(repetitionPenalty)",
        expected: "finite and above 0")
    }
  }
}

/// A sampling setting that is out of range.
public struct SamplingError: Error, Hashable, CustomStringConvertible {
  /// Name of the setting.
  public var setting: String
  /// Its value.
  public var value: String
  /// The expected values.
  public var expected: String

  /// What is wrong and what to change.
  public var description: String { "\(setting) is \(value); it must be \(expected)" }
}

/// Chooses tokens from logits, with random numbers that depend only on the seed, the request and the position.
///
/// So a text does not depend on those that are made beside it, nor on how often it was interrupted.
///
/// In this order: repetition penalty, temperature, top-k, top-p, min-p, then one draw. The probabilities of
/// top-p and min-p are those after the temperature and the cuts before them, as in transformers.
public struct Sampler: Sendable {
  /// How tokens are chosen.
  public let settings: SamplingSettings
  /// Determines the random numbers of all positions.
  private let key: UInt64

  /// Describes the choices of one request.
  ///
  /// - Parameters:
  ///   - settings: How tokens are chosen.
  ///   - seed: Determines the random numbers.
  ///   - request: A name: requests of different names have different random numbers.
  public init(_ settings: SamplingSettings, seed: UInt64, request: String = "1") {
    self.settings = settings
    let digest = SHA256.hexadecimal(of: Array("\(seed) \(request)".utf8))
    key = UInt64(digest.prefix(16), radix: 16) ?? seed
  }

  /// Chooses the next token; of equal logits the lower token wins.
  ///
  /// - Parameters:
  ///   - scores: One finite logit per token.
  ///   - history: Tokens that have occurred, for the repetition penalty.
  ///   - position: Place of the token in its text, which has a random number of its own.
  /// - Returns: The token.
  /// - Complexity: O(tokens log tokens), or O(tokens) at temperature 0.
  public func choose(from scores: [Float], history: some Sequence<Int>, at position: Int) -> Int {
    var scores = scores
    if settings.repetitionPenalty != 1 { penalize(&scores, history) }
    guard settings.temperature > 0 else { return Self.best(scores) }
    let candidates = cut(scores)
    var generator = SeededGenerator(seed: key &+ UInt64(position))
    var draw = Double.random(in: 0..<1, using: &generator)
    for candidate in candidates {
      draw -= candidate.probability
      if draw < 0 { return candidate.token }
    }
    // Rounding may leave a remainder of the draw.
    return candidates.last?.token ?? Self.best(scores)
  }

  private struct Candidate {
    var token: Int
    var probability: Double
  }

  /// Tokens that may be drawn, best first, with probabilities that sum to 1.
  private func cut(_ scores: [Float]) -> [Candidate] {
    let order = scores.indices.sorted { (-scores[$0], $0) < (-scores[$1], $1) }
    let kept = order.prefix(settings.topK ?? order.count)
    let best = Double(scores[order[0]])
    var candidates = kept.map { token in
      Candidate(
        token: token, probability: exp((Double(scores[token]) - best) / settings.temperature))
    }
    Self.normalize(&candidates)
    if settings.topP < 1 {
      var sum = 0.0
      let count = candidates.firstIndex { candidate in
        sum += candidate.probability
        return sum >= settings.topP
      }
      candidates = Array(candidates.prefix((count ?? candidates.count) + 1))
      Self.normalize(&candidates)
    }
    if settings.minP > 0, let limit = candidates.first.map({ $0.probability * settings.minP }) {
      candidates.removeAll { $0.probability < limit }
      Self.normalize(&candidates)
    }
    return candidates
  }

  private static func normalize(_ candidates: inout [Candidate]) {
    let sum = candidates.reduce(0) { $0 + $1.probability }
    for index in candidates.indices { candidates[index].probability /= sum }
  }

  private func penalize(_ scores: inout [Float], _ history: some Sequence<Int>) {
    let penalty = Float(settings.repetitionPenalty)
    for token in Set(history) where scores.indices.contains(token) {
      scores[token] = scores[token] > 0 ? scores[token] / penalty : scores[token] * penalty
    }
  }

  private static func best(_ scores: [Float]) -> Int {
    var best = 0
    for index in scores.indices where scores[index] > scores[best] { best = index }
    return best
  }
}
