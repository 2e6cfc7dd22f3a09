/// What several models answered to the same questions.
public struct EvaluationReport: Hashable, Codable, Sendable {
  /// What one model answered.
  public struct Model: Hashable, Codable, Sendable {
    /// Its name, different from all others.
    public var name: String
    /// The folder or file.
    public var path: String
    /// The tokens that stand once before each text, such as a BOS token.
    public var leadingTokens: [String]
    /// What it answered, by task.
    public var results: [TaskResult]
    /// How well it predicts texts, if that was asked.
    public var texts: [TextScore]
    /// The mean of the tasks' primary metrics; `nil` without a task whose primary metric is a fraction.
    public var mean: Double?

    /// Describes a model and its answers.
    public init(
      name: String, path: String, leadingTokens: [String], results: [TaskResult],
      texts: [TextScore] = []
    ) {
      (self.name, self.path, self.leadingTokens) = (name, path, leadingTokens)
      (self.results, self.texts) = (results, texts)
      let fractions = results.map(\.primary).filter { $0.metric != .perplexity }.map(\.value)
      mean = fractions.isEmpty ? nil : fractions.reduce(0, +) / Double(fractions.count)
    }
  }

  /// How well a model predicts a text.
  public struct TextScore: Hashable, Codable, Sendable {
    /// Name of the text.
    public var text: String
    /// What was measured.
    public var perplexity: Perplexity

    /// Describes a measurement.
    public init(text: String, perplexity: Perplexity) {
      (self.text, self.perplexity) = (text, perplexity)
    }
  }

  /// The models, in the order in which they were named.
  public var models: [Model]
  /// Each model beside the first.
  public var differences: [PairedDifference]
  /// The most questions of a part; `nil` for all.
  public var limit: Int?
  /// Start of the random numbers.
  public var seed: UInt64
  /// Whether questions were drawn at random.
  public var drawsQuestions: Bool

  /// Compares models.
  ///
  /// - Parameters:
  ///   - models: What each answered to the questions of the plan.
  ///   - plan: The questions.
  public init(_ models: [Model], _ plan: EvaluationPlan) {
    self.models = models
    (limit, seed, drawsQuestions) = (plan.limit, plan.seed, plan.drawsQuestions)
    let bootstrap = PairedBootstrap(seed: plan.seed)
    differences = models.dropFirst().flatMap { model in
      bootstrap.differences(
        of: (model.name, model.results), from: (models[0].name, models[0].results))
    }
  }
}
