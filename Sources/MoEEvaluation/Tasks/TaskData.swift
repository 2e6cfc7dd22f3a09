import MoECore
import MoEData
public import SystemPackage

/// A folder with data sets for evaluation, each in one of several forms.
public struct TaskData: Sendable {
  /// The folder.
  public var folder: FilePath

  /// Names a folder.
  public init(_ folder: FilePath) { self.folder = folder }

  func path(_ name: String) -> FilePath { folder.appending(FilePath(name).components) }
}

/// A form in which the questions of a data set come.
struct QuestionSource: Sendable {
  /// The files, relative to the folder of the data; all must be there.
  var files: [String]
  /// The form, for a message about missing data.
  var form: String
  /// What it lacks to be what the harness reads, if anything.
  var note: String?
  /// Reads the files, in their order.
  var read: @Sendable ([FilePath]) throws -> [TaskQuestion]

  init(
    _ files: String..., form: String, note: String? = nil,
    read: @escaping @Sendable ([FilePath]) throws -> [TaskQuestion]
  ) {
    (self.files, self.form, self.note, self.read) = (files, form, note, read)
  }

  /// Files of one JSON object per question.
  init(
    jsonLines file: String, form: String, note: String? = nil,
    question: @escaping @Sendable (QuestionRow) throws -> TaskQuestion
  ) {
    self.init(file, form: form, note: note) {
      try QuestionFile.jsonLines($0[0]).map(question)
    }
  }

  /// The files in a folder; `nil` if one is missing.
  func paths(in data: TaskData) -> [FilePath]? {
    let paths = files.map(data.path)
    return paths.allSatisfy { !$0.isMissing } ? paths : nil
  }
}

extension [QuestionSource] {
  /// The questions of the first form that is there.
  ///
  /// - Throws: ``TaskError/missing(task:folder:forms:origin:)``; what reading throws.
  func questions(
    of task: String, in data: TaskData, origin: String
  ) throws -> (questions: [TaskQuestion], note: String?) {
    for source in self {
      if let paths = source.paths(in: data) { return (try source.read(paths), source.note) }
    }
    throw TaskError.missing(
      task: task, folder: data.folder,
      forms: map { $0.files.joined(separator: " with ") + " (" + $0.form + ")" }, origin: origin)
  }
}
