/// Questions that share a description and the examples that may stand before them: a whole task, or one subject of it.
public struct TaskPart: Sendable {
  /// Where examples are taken from.
  public struct Examples: Sendable {
    /// How they are chosen.
    public enum Rule: Hashable, Sendable {
      /// The first ones, for all questions the same.
      case first
      /// Drawn at random for each question; whether the question itself may be drawn.
      case drawn(leavesOutOwn: Bool)
    }

    /// Questions with answers.
    public var pool: [TaskQuestion]
    /// How they are chosen.
    public var rule: Rule

    /// Describes where examples are taken from.
    public init(_ pool: [TaskQuestion] = [], _ rule: Rule) { (self.pool, self.rule) = (pool, rule) }
  }

  /// The name, which begins with that of the task.
  public var name: String
  /// What stands before everything else.
  public var description: String
  /// The questions, in the order of the data set.
  public var questions: [TaskQuestion]
  /// Where examples are taken from.
  public var examples: Examples
  /// What this data set lacks to be the harness's, if anything.
  public var note: String?

  /// Describes a part.
  public init(
    name: String, description: String = "", questions: [TaskQuestion], examples: Examples,
    note: String? = nil
  ) {
    (self.name, self.description, self.questions) = (name, description, questions)
    (self.examples, self.note) = (examples, note)
  }

  /// What stands before each of some questions, as the harness has it.
  ///
  /// Examples are drawn for one question after another, so that those of a question depend on how many came before.
  ///
  /// - Parameters:
  ///   - chosen: Places of the questions, in the order in which they are asked.
  ///   - shots: How many examples.
  ///   - seed: Start of the random numbers.
  /// - Returns: A text per question.
  /// - Throws: ``TaskError/tooFewExamples(part:wanted:found:)``.
  public func prefixes(
    of chosen: [Int], shots: Int, seed: UInt64
  ) throws(TaskError) -> [String] {
    guard shots > 0 else { return Array(repeating: description, count: chosen.count) }
    let pool = examples.pool
    switch examples.rule {
    case .first:
      guard pool.count >= shots else { throw tooFew(shots) }
      let text = description + pool.prefix(shots).map(\.example).joined()
      return Array(repeating: text, count: chosen.count)
    case .drawn(let leavesOutOwn):
      // One more is drawn where the question itself may be among them.
      guard pool.count >= shots + (leavesOutOwn ? 1 : 0) else { throw tooFew(shots) }
      var random = PythonRandom(seed: seed)
      var prefixes: [String] = []
      for place in chosen {
        let own = leavesOutOwn ? questions[place] : nil
        let found = try draw(shots, without: own, &random)
        prefixes.append(description + found.map(\.example).joined())
      }
      return prefixes
    }
  }

  private func draw(
    _ shots: Int, without own: TaskQuestion?, _ random: inout PythonRandom
  ) throws(TaskError) -> [TaskQuestion] {
    let pool = examples.pool
    guard let own else { return random.sample(shots, of: pool.count).map { pool[$0] } }
    func differs(_ other: TaskQuestion) -> Bool { other.fields != own.fields }
    let drawn = random.sample(shots + 1, of: pool.count).map { pool[$0] }.filter(differs)
    if drawn.count >= shots { return Array(drawn.prefix(shots)) }
    // The set has the question more than once.
    let others = pool.filter(differs)
    guard others.count >= shots else { throw tooFew(shots) }
    return random.sample(shots, of: others.count).map { others[$0] }
  }

  private func tooFew(_ shots: Int) -> TaskError {
    .tooFewExamples(part: name, wanted: shots, found: examples.pool.count)
  }
}
