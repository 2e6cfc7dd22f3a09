import Foundation
import MoECore
public import SystemPackage

/// A folder with the answers of a model, one file per part of a task, to which each answer is added when it is known.
public final class TaskRecords {
  /// What answers depend on, besides the questions themselves, which the answers name.
  public struct Settings: Hashable, Codable, Sendable {
    /// What identifies the model's files.
    public var model: String
    /// How the weights are opened.
    public var weights: String
    /// Examples before each question, by task.
    public var shots: [String: Int]
    /// The most questions of a part.
    public var limit: Int?
    /// Start of the random numbers.
    public var seed: UInt64
    /// Whether questions are drawn at random.
    public var drawsQuestions: Bool

    /// Describes a run.
    ///
    /// - Parameters:
    ///   - plan: The questions.
    ///   - model: What identifies the model's files.
    ///   - weights: How the weights are opened.
    public init(_ plan: EvaluationPlan, model: String, weights: String) {
      (self.model, self.weights) = (model, weights)
      shots = Dictionary(uniqueKeysWithValues: plan.entries.map { ($0.task.name, $0.shots) })
      (limit, seed, drawsQuestions) = (plan.limit, plan.seed, plan.drawsQuestions)
    }

    /// What differs from another run, whose answers can then not be used; `nil` if nothing does.
    func difference(from other: Settings) -> String? {
      if model != other.model { return "the model" }
      if weights != other.weights { return "how weights are opened: \(other.weights)" }
      for (task, count) in shots.sorted(by: { $0.key < $1.key }) {
        guard let before = other.shots[task], before != count else { continue }
        return "the number of examples of \(task): \(before)"
      }
      if limit != other.limit { return "the limit: \(other.limit.map(String.init) ?? "none")" }
      if seed != other.seed { return "the seed: \(other.seed)" }
      guard drawsQuestions != other.drawsQuestions else { return nil }
      return "whether a seed draws the questions: \(other.drawsQuestions)"
    }
  }

  private let folder: FilePath
  private let settings: Settings
  private let resumes: Bool
  private var lock: FolderLock?

  private static let settings = "settings.json"
  private static let prefix = "samples_"

  /// Names a folder for answers, without creating it.
  ///
  /// - Parameters:
  ///   - folder: The folder.
  ///   - settings: What the answers depend on.
  ///   - resumes: Whether to go on where an earlier run ended, if there was one.
  /// - Throws: ``TaskError/otherRecords(_:line:problem:)`` if the answers that are there belong to something else, or
  ///   `FileError`.
  public init(_ folder: FilePath, _ settings: Settings, resumes: Bool) throws {
    (self.folder, self.settings, self.resumes) = (folder, settings, resumes)
    _ = try merged()
  }

  /// Locks the folder, which is created, and writes down what the answers depend on.
  ///
  /// - Throws: As ``init(_:_:resumes:)``.
  public func open() throws {
    try folder.createFolders()
    lock = try FolderLock(folder)
    try AtomicFile.write(
      try JSONText.pretty(try merged()), to: folder.appending(Self.settings))
  }

  /// The settings, with the tasks of earlier runs, which must agree with them.
  private func merged() throws -> Settings {
    let names = Self.names(in: folder)
    guard names?.isEmpty == false || names == nil && !folder.isMissing else { return settings }
    guard resumes else { throw FileError.alreadyExists(folder) }
    let path = folder.appending(Self.settings)
    guard let before = try? MappedFile(path).json(Settings.self) else {
      throw TaskError.otherRecords(
        path, line: nil, problem: "does not say what an evaluation was asked to do")
    }
    if let difference = settings.difference(from: before) {
      throw TaskError.otherRecords(
        path, line: nil, problem: "belongs to an evaluation that differs in \(difference)")
    }
    var settings = settings
    settings.shots.merge(before.shots) { new, _ in new }
    return settings
  }

  /// What a folder holds, besides its lock and hidden files, which a kill may leave; `nil` if it is no folder.
  static func names(in folder: FilePath) -> [String]? {
    try? FileManager.default.contentsOfDirectory(atPath: folder.string).sorted()
      .filter { $0 != "lock" && !$0.hasPrefix(".") }
  }

  /// Whether a folder holds answers, or is empty.
  static func isFolder(_ folder: FilePath) -> Bool {
    names(in: folder).map { $0.isEmpty || $0.contains(settings) } ?? false
  }

  func path(of part: String) -> FilePath { folder.appending("\(Self.prefix)\(part).jsonl") }

  /// The answers of a part that are known already; a line that was not finished does not count.
  ///
  /// - Returns: The answers to the first of the chosen questions, and the bytes of their lines.
  /// - Throws: ``TaskError/otherRecords(_:line:problem:)`` for a line that is something else, or `FileError`.
  /// - Complexity: O(bytes).
  func answers(
    to part: EvaluationPlan.Part, metrics: [TaskMetric]
  ) throws -> (answers: [TaskAnswer], bytes: Int) {
    let path = path(of: part.name)
    guard !path.isMissing else { return ([], 0) }
    let file = try MappedFile(path)
    var (answers, end) = ([TaskAnswer](), 0)
    while let line = Self.line(of: file, from: end) {
      let place = answers.count
      guard place < part.chosen.count,
        let record = try? JSONDecoder().decode(TaskRecord.self, from: Data(line)),
        let answer = record.answer(
          to: part.question(place), part.requests(place), place: part.chosen[place],
          metrics: metrics)
      else {
        throw TaskError.otherRecords(
          path, line: place + 1, problem: "is not an answer to the question of this place")
      }
      answers.append(answer)
      end += line.count + 1
    }
    return (answers, end)
  }

  /// The bytes of a whole line, without its end; `nil` where no more line ends.
  private static func line(of file: MappedFile, from start: Int) -> [UInt8]? {
    var length = 1 << 14
    while start < file.count {
      let end = min(start + length, file.count)
      let bytes = file.copied(start..<end)
      if let place = bytes.firstIndex(of: UInt8(ascii: "\n")) { return Array(bytes[..<place]) }
      guard end < file.count else { return nil }
      length *= 4
    }
    return nil
  }

  /// Opens the file to which answers of a part are added, after so many bytes of whole lines.
  func growing(_ part: String, after bytes: Int) throws -> GrowingFile {
    precondition(lock != nil, "answers are added to a folder that is not open")
    let path = path(of: part)
    if !path.isMissing {
      let file = try FileDescriptor.open(path, .writeOnly)
      try file.closeAfter { try file.resize(to: Int64(bytes)) }
    }
    return try GrowingFile(path)
  }
}

@available(*, unavailable)
extension TaskRecords: Sendable {}
