import MoECore

/// How much better or worse one model answers the same questions than another, and how sure that is.
public struct PairedDifference: Hashable, Codable, Sendable {
  /// The task; `nil` for the mean over all.
  public var task: String?
  /// The model that is compared.
  public var model: String
  /// The model that it is compared with.
  public var reference: String
  /// The mean of the differences, question by question: a fraction in -1…1.
  public var difference: Double
  /// The lower end of the 95 % confidence interval.
  public var lower: Double
  /// The upper end of the 95 % confidence interval.
  public var upper: Double
  /// The two-sided p-value, above 0: how often chance alone would give a difference as large, if there were none.
  public var pValue: Double
}

/// Compares answers of two models to the same questions by drawing questions again and again, with replacement.
///
/// - SeeAlso: Koehn 2004, *Statistical Significance Tests for Machine Translation Evaluation*,
///   [W04-3250](https://aclanthology.org/W04-3250).
struct PairedBootstrap: Sendable {
  /// How often the questions are drawn.
  static let usualResamples = 5_000

  private let resamples: Int
  private let seed: UInt64

  /// Prepares to compare.
  ///
  /// - Parameters:
  ///   - resamples: How often the questions are drawn, at least 1.
  ///   - seed: Start of the random numbers.
  init(resamples: Int = usualResamples, seed: UInt64) {
    precondition(resamples >= 1, "\(resamples) resamples")
    (self.resamples, self.seed) = (resamples, seed)
  }

  /// Compares the answers to several tasks, and the mean over the tasks.
  ///
  /// - Parameters:
  ///   - model: Name of the model that is compared, and its results.
  ///   - reference: Name of the model that it is compared with, and its results for the same questions.
  /// - Returns: A difference for each task whose primary metric is a fraction, and one for their mean if there are
  ///   several.
  /// - Complexity: O(resamples · questions).
  func differences(
    of model: (name: String, results: [TaskResult]),
    from reference: (name: String, results: [TaskResult])
  ) -> [PairedDifference] {
    let pairs = zip(model.results, reference.results).filter { $0.0.primary.metric != .perplexity }
    func described(_ task: String?, _ mean: Double, _ drawn: [Double]) -> PairedDifference {
      let sorted = drawn.sorted()
      let tail = Int(0.025 * Double(resamples))
      // The sample itself counts, too: chance is never excluded.
      let rare = 1 + min(drawn.count { $0 <= 0 }, drawn.count { $0 >= 0 })
      return PairedDifference(
        task: task, model: model.name, reference: reference.name, difference: mean,
        lower: sorted[tail], upper: sorted[resamples - 1 - tail],
        pValue: min(1, 2 * Double(rare) / Double(resamples + 1)))
    }
    var generator = SeededGenerator(seed: seed)
    var (found, sums, means) = ([PairedDifference](), [Double](repeating: 0, count: resamples), 0.0)
    for (own, other) in pairs {
      let differences = zip(Self.values(own), Self.values(other)).map { $0 - $1 }
      let mean = differences.reduce(0, +) / Double(differences.count)
      let drawn = resampled(differences, &generator)
      for round in 0..<resamples { sums[round] += drawn[round] }
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

  /// The mean of as many values as there are, drawn with replacement, once per resample.
  private func resampled(_ values: [Double], _ generator: inout SeededGenerator) -> [Double] {
    (0..<resamples).map { _ in
      var sum = 0.0
      for _ in values.indices {
        // The upper half of a product with a random fraction of 2⁶⁴.
        sum += values[Int(generator.next().multipliedFullWidth(by: UInt64(values.count)).high)]
      }
      return sum / Double(values.count)
    }
  }
}
