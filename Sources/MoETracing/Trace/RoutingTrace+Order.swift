import MoECore

extension RoutingTrace {
  /// The fewest choices of several experts that distinguish an order from chance.
  private static let fewestChoices = 50

  /// Whether tokens list their experts by ascending index instead of best first, as some systems
  /// do.
  ///
  /// Only the first tokens are examined; fifty pairs in ascending order are not due to chance.
  ///
  /// - Throws: ``TracingError`` for a damaged trace.
  public func listsExpertsByNumber() throws -> Bool {
    let k = header.k
    guard k > 1, tokenCount > 0 else { return false }
    let experts = try experts(in: 0..<min(tokenCount, Self.blockTokens))
    var choices = 0
    for start in stride(from: 0, to: experts.count, by: k) {
      let used = experts[start..<start + k].filter { $0 != RoutingTraceHeader.unusedSlot }
      guard used.count > 1 else { continue }
      choices += 1
      if zip(used, used.dropFirst()).contains(where: { $0 > $1 }) { return false }
    }
    return choices >= Self.fewestChoices
  }
}
