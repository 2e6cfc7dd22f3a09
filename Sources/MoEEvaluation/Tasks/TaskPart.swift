import MoECore

/// Questions that share a description and the examples that may stand before them: a whole task, or one subject of it.
struct TaskPart: Sendable {
  /// Where examples are taken from.
  struct Examples: Sendable {
    /// How they are chosen.
    enum Rule: Hashable, Sendable {
      /// The first ones, for all questions the same.
      case first
      /// Drawn at random for each question, without questions equal to the one that is asked if `leavesOutOwn`.
      case drawn(leavesOutOwn: Bool)
    }

    /// Questions with answers.
    var pool: [TaskQuestion]
    var rule: Rule

    init(_ pool: [TaskQuestion] = [], _ rule: Rule) { (self.pool, self.rule) = (pool, rule) }
  }

  /// The name, which begins with that of the task.
  var name: String
  /// What stands before everything else.
  var description: String
  /// The questions, in the order of the data set.
  var questions: [TaskQuestion]
  var examples: Examples
  /// What this data set lacks to be the harness's, if anything.
  var note: String?

  init(
    name: String, description: String = "", questions: [TaskQuestion], examples: Examples,
    note: String? = nil
  ) {
    (self.name, self.description, self.questions) = (name, description, questions)
    (self.examples, self.note) = (examples, note)
  }

  /// What stands before a question: the description, and examples by their places in the pool.
  func prefix(_ places: [Int]) -> String {
    places.reduce(into: description) { $0 += examples.pool[$1].example }
  }

  /// The examples before each of some questions, as the harness chooses them.
  ///
  /// They are drawn for one question after another, so that those of a question depend on how many came before.
  ///
  /// - Parameters:
  ///   - chosen: Places of the questions, in the order in which they are asked.
  ///   - shots: How many examples.
  ///   - seed: Start of the random numbers.
  /// - Returns: Places in the pool, by question.
  /// - Throws: ``TaskError/tooFewExamples(part:wanted:found:)``.
  /// - Complexity: O(questions · shots), and O(pool) for each question that the pool holds several times.
  func examples(
    of chosen: [Int], shots: Int, seed: UInt64
  ) throws(TaskError) -> [[Int]] {
    guard shots > 0 else { return Array(repeating: [], count: chosen.count) }
    let count = examples.pool.count
    switch examples.rule {
    case .first:
      guard count >= shots else { throw tooFew(shots, count) }
      return Array(repeating: Array(0..<shots), count: chosen.count)
    case .drawn(leavesOutOwn: false):
      guard count >= shots else { throw tooFew(shots, count) }
      var random = PythonRandom(seed: seed)
      return chosen.map { _ in random.sample(shots, of: count) }
    case .drawn(leavesOutOwn: true):
      guard count > shots else { throw tooFew(shots, count) }
      var random = PythonRandom(seed: seed)
      var others = OtherQuestions(examples.pool)
      var found: [[Int]] = []
      for place in chosen {
        found.append(try draw(shots, without: questions[place], &others, &random))
      }
      return found
    }
  }

  /// One more than needed is drawn, because the question itself may be among them.
  private func draw(
    _ shots: Int, without own: TaskQuestion, _ others: inout OtherQuestions,
    _ random: inout PythonRandom
  ) throws(TaskError) -> [Int] {
    let pool = examples.pool
    let drawn = random.sample(shots + 1, of: pool.count)
      .filter { pool[$0].fields != own.fields }
    if drawn.count >= shots { return Array(drawn.prefix(shots)) }
    // The pool has the question more than once.
    let places = others.places(than: own)
    guard places.count >= shots else { throw tooFew(shots, places.count) }
    return random.sample(shots, of: places.count).map { places[$0] }
  }

  private func tooFew(_ shots: Int, _ found: Int) -> TaskError {
    .tooFewExamples(part: name, wanted: shots, found: found)
  }
}

/// The questions of a pool that differ from one, of which the last answer is kept: a set that repeats a question asks for the
/// same ones again.
private struct OtherQuestions {
  private let pool: [TaskQuestion]
  private var known: [JSONObject: [Int]] = [:]

  init(_ pool: [TaskQuestion]) { self.pool = pool }

  mutating func places(than own: TaskQuestion) -> [Int] {
    if let found = known[own.fields] { return found }
    let found = pool.indices.filter { pool[$0].fields != own.fields }
    known = [own.fields: found]
    return found
  }
}
