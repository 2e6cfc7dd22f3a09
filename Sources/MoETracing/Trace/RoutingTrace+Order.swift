import MoECore

extension RoutingTrace {
  /// Fewest choices of several experts that tell an order from chance.
  private static let fewestChoices = 50

  /// Whether tokens list their experts by rising number instead of best first, as some systems do.
  ///
  /// Only the first tokens are looked at; by chance none of fifty pairs would fall.
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
