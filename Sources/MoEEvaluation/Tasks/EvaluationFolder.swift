import MoECore
public import SystemPackage

/// A folder with everything that models answered: a folder of answers for each, and the results of all.
public struct EvaluationFolder {
  private let path: FilePath
  private let resumes: Bool

  private static let results = "results.json"

  /// Names that a model's folder must not have.
  public static let reservedNames: Set<String> = [results, "lock", ".", ".."]

  /// Checks that a folder can be used, without creating it.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - resumes: Whether to go on where an earlier evaluation ended, if there was one.
  /// - Throws: ``TaskError/otherRecords(_:line:problem:)`` if it holds anything but an evaluation, or `FileError`.
  public init(_ path: FilePath, resumes: Bool) throws {
    (self.path, self.resumes) = (path, resumes)
    guard !path.isMissing, TaskRecords.names(in: path)?.isEmpty != true else { return }
    guard resumes, path.isDirectory else { throw FileError.alreadyExists(path) }
    for name in TaskRecords.names(in: path) ?? []
    where name != Self.results && !TaskRecords.isFolder(path.appending(name)) {
      throw TaskError.otherRecords(
        path.appending(name), line: nil, problem: "was not written by an evaluation")
    }
  }

  /// The folder of a model's answers, which is not created yet.
  ///
  /// - Parameters:
  ///   - name: The model's name.
  ///   - settings: What the answers depend on.
  /// - Returns: The answers.
  /// - Throws: As ``TaskRecords/init(_:_:resumes:)``.
  public func records(of name: String, _ settings: TaskRecords.Settings) throws -> TaskRecords {
    try TaskRecords(path.appending(name), settings, resumes: resumes)
  }

  /// Writes the results of all models.
  ///
  /// - Throws: `FileError`.
  public func write(_ report: EvaluationReport) throws {
    try AtomicFile.write(try JSONText.pretty(report), to: path.appending(Self.results))
  }
}
