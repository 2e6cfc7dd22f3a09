public import SystemPackage

/// Why training cannot start or go on.
public enum TrainingError: Error, Hashable {
  /// A saved optimizer state does not belong to this model.
  case invalidOptimizerState(message: String)
  /// A checkpoint is incomplete or damaged.
  case invalidCheckpoint(path: FilePath, problem: String)
  /// A table of metrics to which rows are to be appended is not text.
  case invalidTable(path: FilePath, line: Int)
  /// The folder contains a run already.
  case runExists(path: FilePath)
  /// The folder contains a run with another configuration.
  case otherConfiguration(path: FilePath, differences: [String])
}

extension TrainingError: CustomStringConvertible {
  /// What is wrong and what to change.
  public var description: String {
    switch self {
    case .invalidOptimizerState(let message):
      "the optimizer state does not fit the model: \(message)"
    case .invalidCheckpoint(let path, let problem):
      "the checkpoint \(path) cannot be used: \(problem)"
    case .invalidTable(let path, let line):
      "\(path) is not a table that a run wrote: line \(line) is not UTF-8 text; move the file away, and the run continues without its rows"
    case .runExists(let path):
      "\(path) already contains a run; continue it, or choose another folder"
    case .otherConfiguration(let path, let differences):
      "\(path) contains a run with another configuration: \(differences.joined(separator: "; ")); change it back, or choose another folder"
    }
  }
}
