extension NumberText {
  /// A noun in the number that goes with a count: token for 1, tokens for others.
  public static func noun(_ count: Int, _ singular: String) -> String {
    count == 1 ? singular : singular + "s"
  }

  /// A count and its noun: 1 token, 1234 tokens.
  public static func counted(_ count: Int, _ singular: String) -> String {
    "\(count) \(noun(count, singular))"
  }
}
