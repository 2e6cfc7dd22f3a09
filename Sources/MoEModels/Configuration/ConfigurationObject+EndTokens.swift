import MoECore

extension ConfigurationObject {
  /// The tokens of `eos_token_id`, one or several; `nil` if the key is absent or null.
  ///
  /// Numbers below 0 stand for no token, as in transformers.
  func endTokens() throws(ConfigurationError) -> [Int]? {
    guard has("eos_token_id") else { return nil }
    let range = -(1 << 24)...(1 << 24)
    let tokens =
      if case .array = value("eos_token_id") {
        try ints("eos_token_id", in: range)
      } else { try optionalInt("eos_token_id", in: range).map { [$0] } }
    return tokens?.filter { $0 >= 0 }
  }
}
