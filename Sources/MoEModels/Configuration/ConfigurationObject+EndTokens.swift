import MoECore

extension ConfigurationObject {
  /// The tokens of `eos_token_id`, one or several; `nil` if the key is absent or null.
  func endTokens() throws(ConfigurationError) -> [Int]? {
    guard has("eos_token_id") else { return nil }
    let range = 0...(1 << 24)
    if case .array = value("eos_token_id") { return try ints("eos_token_id", in: range) }
    return try optionalInt("eos_token_id", in: range).map { [$0] }
  }
}
