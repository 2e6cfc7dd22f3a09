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
  private let lock: FolderLock

  private static let settings = "settings.json"
  private static let prefix = "samples_"

  /// Opens a folder for answers.
  ///
  /// - Parameters:
  ///   - folder: The folder, which is created.
  ///   - settings: What the answers depend on.
  ///   - resumes: Whether to go on where an earlier run ended, if there was one.
  /// - Throws: ``TaskError/otherRecords(_:line:problem:)`` if the answers that are there belong to something else, or
  ///   `FileError`.
  public init(_ folder: FilePath, _ settings: Settings, resumes: Bool) throws {
    // A run that was killed early may leave the lock alone.
    let names = try? FileManager.default.contentsOfDirectory(atPath: folder.string)
    let isNew = folder.isMissing || names?.allSatisfy { $0 == "lock" } ?? false
    guard resumes || isNew else { throw FileError.alreadyExists(folder) }
    let path = folder.appending(Self.settings)
    var settings = settings
    if !isNew {
      guard let before = try? MappedFile(path).json(Settings.self) else {
        throw TaskError.otherRecords(
          path, line: nil, problem: "does not say what an evaluation was asked to do")
      }
      if let difference = settings.difference(from: before) {
        throw TaskError.otherRecords(
          path, line: nil, problem: "belongs to an evaluation that differs in \(difference)")
      }
      settings.shots.merge(before.shots) { new, _ in new }
    }
    try folder.createFolders()
    (self.folder, lock) = (folder, try FolderLock(folder))
    try AtomicFile.write(try JSONText.pretty(settings), to: path)
  }

  /// Whether a folder holds answers, or is empty.
  static func isFolder(_ folder: FilePath) -> Bool {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder.string) else {
      return false
    }
    return names.contains(settings) || names.allSatisfy { $0 == "lock" }
  }

  func path(of part: String) -> FilePath { folder.appending("\(Self.prefix)\(part).jsonl") }

  /// The answers of a part that are known already; a line that was not finished is dropped.
  ///
  /// - Returns: The answers to the first of the chosen questions.
  /// - Throws: ``TaskError/otherRecords(_:line:problem:)`` for a line that is something else, or `FileError`.
  /// - Complexity: O(bytes).
  func answers(
    to part: EvaluationPlan.Part, metrics: [TaskMetric]
  ) throws -> [TaskAnswer] {
    let path = path(of: part.name)
    guard !path.isMissing else { return [] }
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
    if end < file.count { try truncate(path, to: end) }
    return answers
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

  private func truncate(_ path: FilePath, to length: Int) throws {
    let file = try FileDescriptor.open(path, .writeOnly)
    try file.closeAfter { try file.resize(to: Int64(length)) }
  }

  /// Opens the file to which answers of a part are added.
  func growing(_ part: String) throws -> GrowingFile { try GrowingFile(path(of: part)) }
}
