import MoECore

/// How much better or worse one model answers the same questions than another, and how sure that is.
public struct PairedDifference: Hashable, Codable, Sendable {
  /// The task; `nil` for the mean over all.
  public var task: String?
  /// The model that is compared.
  public var model: String
  /// The model that it is compared with.
  public var reference: String
  /// The mean of the differences, question by question.
  public var difference: Double
  /// 95 % of the resampled means lie between these.
  public var low: Double
  /// 95 % of the resampled means lie between these.
  public var high: Double
  /// How often chance alone would give a difference as large, in either direction.
  public var probability: Double
}

/// Compares answers of two models to the same questions by drawing questions again and again, with replacement.
///
/// - SeeAlso: Koehn 2004, *Statistical Significance Tests for Machine Translation Evaluation*,
///   [W04-3250](https://aclanthology.org/W04-3250).
public struct PairedBootstrap: Sendable {
  /// How often the questions are drawn.
  public static let usualRounds = 5_000

  private let rounds: Int
  private let seed: UInt64

  /// Prepares to compare.
  ///
  /// - Parameters:
  ///   - rounds: How often the questions are drawn, at least 1.
  ///   - seed: Start of the random numbers.
  public init(rounds: Int = usualRounds, seed: UInt64) {
    precondition(rounds >= 1, "\(rounds) rounds")
    (self.rounds, self.seed) = (rounds, seed)
  }

  /// Compares the answers to several tasks, and the mean over the tasks.
  ///
  /// - Parameters:
  ///   - model: Name of the model that is compared, and its results.
  ///   - reference: Name of the model that it is compared with, and its results for the same questions.
  /// - Returns: A difference for each task whose usual measure is a fraction, and one for their mean if there are
  ///   several.
  /// - Complexity: O(rounds · questions).
  public func differences(
    of model: (name: String, results: [TaskResult]),
    from reference: (name: String, results: [TaskResult])
  ) -> [PairedDifference] {
    let pairs = zip(model.results, reference.results).filter { $0.0.headline.metric != .perplexity }
    func described(_ task: String?, _ mean: Double, _ drawn: [Double]) -> PairedDifference {
      let sorted = drawn.sorted()
      let (below, above) = (drawn.count { $0 <= 0 }, drawn.count { $0 >= 0 })
      let rare = Double(min(below, above)) / Double(rounds)
      return PairedDifference(
        task: task, model: model.name, reference: reference.name, difference: mean,
        low: sorted[Int(0.025 * Double(rounds))],
        high: sorted[min(rounds - 1, Int(0.975 * Double(rounds)))], probability: min(1, 2 * rare))
    }
    var generator = SeededGenerator(seed: seed)
    var (found, sums, means) = ([PairedDifference](), [Double](repeating: 0, count: rounds), 0.0)
    for (own, other) in pairs {
      let differences = zip(Self.values(own), Self.values(other)).map { $0 - $1 }
      let mean = differences.reduce(0, +) / Double(differences.count)
      let drawn = resampled(differences, &generator)
      for round in 0..<rounds { sums[round] += drawn[round] }
      means += mean
      found.append(described(own.name, mean, drawn))
    }
    guard pairs.count > 1 else { return found }
    let count = Double(pairs.count)
    return found + [described(nil, means / count, sums.map { $0 / count })]
  }

  private static func values(_ result: TaskResult) -> [Double] {
    result.parts.flatMap { $0.answers.map { $0.values[0] } }
  }

  /// The mean of as many values as there are, drawn with replacement, once per round.
  private func resampled(_ values: [Double], _ generator: inout SeededGenerator) -> [Double] {
    (0..<rounds).map { _ in
      var sum = 0.0
      for _ in values.indices {
        // The upper half of a product with a random fraction of 2⁶⁴.
        sum += values[Int(generator.next().multipliedFullWidth(by: UInt64(values.count)).high)]
      }
      return sum / Double(values.count)
    }
  }
}
