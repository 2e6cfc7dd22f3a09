import MoECore
public import SystemPackage

/// Why questions cannot be asked.
public enum TaskError: Error, Hashable {
  /// No file of a data set is there.
  case missing(task: String, folder: FilePath, forms: [String], origin: String)
  /// There are too few questions to take examples from.
  case tooFewExamples(part: String, wanted: Int, found: Int)
  /// Two tasks have a part of the same name.
  case twice(part: String)
  /// What is scored has more tokens than the model reads.
  case tooLong(FilePath, line: Int, tokens: Int, context: Int)
  /// What is scored gives no token of its own.
  case nothingToScore(FilePath, line: Int)
  /// A context is empty, and the model has no token that begins a text.
  case noBeginning(FilePath, line: Int)
  /// Records of an earlier run do not belong to this one.
  case otherRecords(FilePath, line: Int?, problem: String)
}

extension TaskError: CustomStringConvertible {
  /// What is wrong, where, and what to change.
  public var description: String {
    switch self {
    case .missing(let task, let folder, let forms, let origin):
      "\(folder) has no data for '\(task)': expected \(forms.joined(separator: ", or ")); it comes from \(origin)"
    case .tooFewExamples(let part, let wanted, let found):
      "'\(part)' has \(NumberText.counted(found, "question")) to take examples from that differ from the one that is asked, too few for \(NumberText.counted(wanted, "example")) before each"
    case .twice(let part):
      "two of the tasks ask '\(part)'; leave one out, or rename the file"
    case .tooLong(let path, let line, let tokens, let context):
      "\(path): line \(line) has a choice of \(NumberText.counted(tokens, "token")), and the model reads \(context); contexts are cut on the left, but what is scored cannot be: remove the line, or take a model with a longer context"
    case .nothingToScore(let path, let line):
      "\(path): line \(line) has a choice that gives no token after its context; it must add text"
    case .noBeginning(let path, let line):
      "\(path): line \(line) has an empty context, and the model names no token that begins or ends a text; give it a context"
    case .otherRecords(let path, let line, let problem):
      "\(path)\(line.map { ": line \($0)" } ?? "") \(problem)"
    }
  }
}
