/// Why a router cannot be created.
public enum RoutingError: Error, Hashable {
  /// A setting has an invalid value.
  case invalidSetting(key: String, value: String, expected: String)
}

extension RoutingError: CustomStringConvertible {
  /// What is wrong and what to change.
  public var description: String {
    switch self {
    case .invalidSetting(let key, let value, let expected):
      "\(key) is \(value); it must be \(expected)"
    }
  }
}
