import MoECore

/// Which questions are asked, and what stands before each: known before any model is opened.
public struct EvaluationPlan: Sendable {
  /// A task and how many examples stand before its questions.
  public struct Choice: Sendable {
    /// The task.
    public var task: EvaluationTask
    /// Examples before each question; `nil` for the task's usual number.
    public var shots: Int?

    /// Chooses a task.
    public init(_ task: EvaluationTask, shots: Int? = nil) {
      (self.task, self.shots) = (task, shots)
    }
  }

  /// A part of a task, and which of its questions are asked.
  struct Part: Sendable {
    var part: TaskPart
    /// Places of the questions, in the order of the data set.
    var chosen: [Int]
    /// Places of the examples before each of them.
    var examples: [[Int]]

    var name: String { part.name }

    func question(_ place: Int) -> TaskQuestion { part.questions[chosen[place]] }

    /// The requests of a question by its place among the chosen, one for each choice.
    func requests(_ place: Int) -> [TaskRequest] {
      question(place).requests(after: part.prefix(examples[place]))
    }
  }

  /// A task, its parts, and how many examples stand before its questions.
  struct Entry: Sendable {
    var task: EvaluationTask
    var shots: Int
    var parts: [Part]
  }

  /// The tasks, in the order in which they were named.
  let entries: [Entry]
  /// The most questions of a part; `nil` for all.
  public let limit: Int?
  /// Start of the random numbers by which examples are drawn, and questions if ``drawsQuestions``.
  public let seed: UInt64
  /// Whether the questions are drawn at random instead of being the first ones.
  public let drawsQuestions: Bool

  /// The seed by which the harness draws examples.
  public static let usualSeed: UInt64 = 1_234

  /// Reads the questions and chooses.
  ///
  /// With a limit and a seed, questions are drawn at random; without a seed they are the first ones, as in the harness.
  ///
  /// - Parameters:
  ///   - choices: The tasks.
  ///   - data: The folder with the data.
  ///   - limit: The most questions of each part, at least 1; `nil` for all.
  ///   - seed: Start of the random numbers; `nil` for the harness's own.
  /// - Throws: ``TaskError``, `DataError` that names the line, or a `FileError`.
  public init(
    _ choices: [Choice], data: TaskData, limit: Int? = nil, seed: UInt64? = nil
  ) throws {
    let drawn = limit == nil ? nil : seed
    (self.limit, self.seed, drawsQuestions) = (limit, seed ?? Self.usualSeed, drawn != nil)
    var names: Set<String> = []
    var tasks: Set<String> = []
    entries = try choices.map { choice in
      guard tasks.insert(choice.task.name).inserted else {
        throw TaskError.twice(part: choice.task.name)
      }
      let shots = choice.shots ?? choice.task.usualShots
      let parts = try choice.task.parts(in: data, shots: shots).map { part in
        // Answers are kept by the names of parts.
        guard names.insert(part.name).inserted else { throw TaskError.twice(part: part.name) }
        let chosen = Self.places(part.questions.count, limit, drawn)
        let examples = try part.examples(
          of: chosen, shots: shots, seed: seed ?? Self.usualSeed)
        return Part(part: part, chosen: chosen, examples: examples)
      }
      return Entry(task: choice.task, shots: shots, parts: parts)
    }
  }

  private static func places(_ count: Int, _ limit: Int?, _ seed: UInt64?) -> [Int] {
    guard let limit, limit < count else { return Array(0..<count) }
    guard let seed else { return Array(0..<limit) }
    var random = PythonRandom(seed: seed)
    return random.sample(limit, of: count).sorted()
  }

  /// The number of questions that are asked.
  public var questionCount: Int {
    entries.reduce(0) { $0 + $1.parts.reduce(0) { $0 + $1.chosen.count } }
  }
}
