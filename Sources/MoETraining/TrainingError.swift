/// Why training cannot start or go on.
public enum TrainingError: Error, Hashable {
  /// A setting has a value that it cannot have.
  case invalidSetting(key: String, value: String, expected: String)
  /// A saved optimizer state does not belong to this model.
  case invalidOptimizerState(message: String)
}

extension TrainingError: CustomStringConvertible {
  /// What is wrong and what to change.
  public var description: String {
    switch self {
    case .invalidSetting(let key, let value, let expected):
      "\(key) is \(value); it must be \(expected)"
    case .invalidOptimizerState(let message):
      "the optimizer state does not fit the model: \(message)"
    }
  }
}
