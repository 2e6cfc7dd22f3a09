import Foundation
import MoECore
public import SystemPackage

/// A folder with the answers of a model, one file per part of a task, to which each answer is added when it is known.
public final class TaskRecords {
  /// What answers depend on, besides the questions themselves.
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
      if weights != other.weights { return "how weights are opened (\(other.weights))" }
      let both = shots.filter {
        other.shots[$0.key].map { [value = $0.value] in $0 != value } ?? false
      }
      if let task = both.keys.sorted().first {
        return "the number of examples of \(task) (\(other.shots[task] ?? 0))"
      }
      if limit != other.limit { return "the limit (\(other.limit.map(String.init) ?? "none"))" }
      if seed != other.seed || drawsQuestions != other.drawsQuestions {
        return "the seed (\(other.seed))"
      }
      return nil
    }
  }

  private let folder: FilePath
  private let lock: FolderLock

  /// Opens a folder for answers.
  ///
  /// - Parameters:
  ///   - folder: The folder, which is created.
  ///   - settings: What the answers depend on.
  ///   - resumes: Whether to go on where an earlier run ended, if there was one.
  /// - Throws: ``TaskError/otherRecords(_:line:problem:)`` if the answers that are there belong to something else, or
  ///   `FileError`.
  public init(_ folder: FilePath, _ settings: Settings, resumes: Bool) throws {
    guard resumes || folder.isMissingOrEmptyDirectory else {
      throw FileError.alreadyExists(folder)
    }
    try folder.createFolders()
    (self.folder, lock) = (folder, try FolderLock(folder))
    let path = folder.appending("settings.json")
    var settings = settings
    if !path.isMissing {
      guard let before = try? MappedFile(path).json(Settings.self) else {
        throw TaskError.otherRecords(
          path, line: nil, problem: "is no record of what an evaluation was asked to do")
      }
      if let difference = settings.difference(from: before) {
        throw TaskError.otherRecords(
          path, line: nil, problem: "belongs to an evaluation that differs in \(difference)")
      }
      settings.shots.merge(before.shots) { new, _ in new }
    }
    try AtomicFile.write(try JSONText.pretty(settings), to: path)
  }

  func path(of part: String) -> FilePath { folder.appending("samples_\(part).jsonl") }

  /// The answers of a part that are known already; a line that was not finished is dropped.
  ///
  /// - Returns: The answers to the first of the chosen questions.
  func answers(
    to part: EvaluationPlan.Part, metrics: [TaskMetric]
  ) throws -> [TaskAnswer] {
    let path = path(of: part.part.name)
    guard !path.isMissing else { return [] }
    let file = try MappedFile(path)
    let bytes = try file.copied(upTo: FileLimit.text)
    let complete = bytes.prefix((bytes.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1)
    if complete.count < bytes.count { try AtomicFile.write(Array(complete), to: path) }
    let lines = complete.split(separator: UInt8(ascii: "\n"))
    var answers: [TaskAnswer] = []
    for (number, line) in lines.enumerated() {
      guard number < part.chosen.count,
        let record = try? JSONDecoder().decode(TaskRecord.self, from: Data(line)),
        let answer = record.answer(
          to: part.part.questions[part.chosen[number]], part.requests(number),
          place: part.chosen[number], metrics: metrics)
      else {
        throw TaskError.otherRecords(
          path, line: number + 1, problem: "is no answer to the question of this place")
      }
      answers.append(answer)
    }
    return answers
  }

  /// Opens the file to which answers of a part are added.
  func growing(_ part: String) throws -> GrowingFile { try GrowingFile(path(of: part)) }
}
