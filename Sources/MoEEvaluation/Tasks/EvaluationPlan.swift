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
  public struct Part: Sendable {
    /// The part.
    public var part: TaskPart
    /// Places of the questions, in the order of the data set.
    public var chosen: [Int]
    /// What stands before each of them.
    public var prefixes: [String]

    /// The questions that are asked.
    public var questions: [TaskQuestion] { chosen.map { part.questions[$0] } }

    /// The requests of a question.
    ///
    /// - Parameter place: Its place among the chosen.
    /// - Returns: One for each choice.
    func requests(_ place: Int) -> [TaskRequest] {
      part.questions[chosen[place]].requests(after: prefixes[place])
    }
  }

  /// A task, its parts, and how many examples stand before its questions.
  public struct Entry: Sendable {
    /// The task.
    public var task: EvaluationTask
    /// Examples before each question.
    public var shots: Int
    /// Its parts.
    public var parts: [Part]
  }

  /// The tasks, in the order in which they were named.
  public var entries: [Entry]
  /// The most questions of a part; `nil` for all.
  public var limit: Int?
  /// Start of the random numbers by which examples are drawn, and questions if ``drawsQuestions``.
  public var seed: UInt64
  /// Whether the questions are drawn at random instead of being the first ones.
  public var drawsQuestions: Bool

  /// The seed by which the harness draws examples.
  public static let usualSeed: UInt64 = 1_234

  /// Reads the questions and chooses.
  ///
  /// - Parameters:
  ///   - choices: The tasks; none twice.
  ///   - data: The folder with the data.
  ///   - limit: The most questions of each part, at least 1; `nil` for all.
  ///   - seed: Start of the random numbers; `nil` for the harness's own.
  /// - Throws: ``TaskError``, `DataError` that names the line, or a `FileError`.
  ///
  /// With a limit and a seed, questions are drawn at random; without a seed they are the first ones, as in the harness.
  public init(
    _ choices: [Choice], data: TaskData, limit: Int? = nil, seed: UInt64? = nil
  ) throws {
    (self.limit, self.seed) = (limit, seed ?? Self.usualSeed)
    drawsQuestions = limit != nil && seed != nil
    entries = []
    for choice in choices {
      let shots = choice.shots ?? choice.task.usualShots
      let parts = try choice.task.parts(in: data, shots: shots).map { part in
        let chosen = Self.places(part.questions.count, limit, drawsQuestions ? seed : nil)
        let prefixes = try part.prefixes(of: chosen, shots: shots, seed: self.seed)
        return Part(part: part, chosen: chosen, prefixes: prefixes)
      }
      entries.append(Entry(task: choice.task, shots: shots, parts: parts))
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
