import MoETracing

extension TraceReport {
  /// A table that does not have the size that the report's other values say, in words; `nil` if all fit.
  ///
  /// Figures take the sizes for granted; a report that was read from a file may hold anything.
  var misfit: String? {
    let pairs = max(0, layers.count - 1)
    guard 1...(1 << 16) ~= experts, tokens ?? 0 >= 0, k ?? 0 >= 0 else {
      return "'experts', 'tokens' or 'k'"
    }
    if let wrong = layers.firstIndex(where: { !fits($0) }) { return "'layers[\(wrong)]'" }
    guard transitions.isEmpty || transitions.count == pairs else { return "'transitions'" }
    guard affinities.count == transitions.count else { return "'affinities'" }
    if let wrong = affinities.firstIndex(where: { $0.count != experts * experts }) {
      return
        "'affinities[\(wrong)]' has \(affinities[wrong].count) values, not \(experts * experts)"
    }
    if let table = coactivation, table.lifts.count != experts * experts {
      return "'coactivation.lifts' has \(table.lifts.count) values, not \(experts * experts)"
    }
    if let wrong = specializations.firstIndex(where: { !fits($0) }) {
      return "'specializations[\(wrong)]'"
    }
    return nil
  }

  private func fits(_ layer: Layer) -> Bool {
    let known = 0..<experts
    // Sums of loads of this size cannot overflow.
    return layer.load.count == experts && layer.firstLoad.count == experts
      && (layer.load + layer.firstLoad).allSatisfy { 0...(1 << 40) ~= $0 }
      && known.contains(layer.statistics.busiest)
      && layer.statistics.deadExperts.allSatisfy(known.contains)
      && layer.coactivations.allSatisfy { known.contains($0.first) && known.contains($0.second) }
  }

  private func fits(_ kind: Specialization) -> Bool {
    kind.tokens.count == kind.groups.count && kind.lifts.count == kind.groups.count * experts
      && kind.tokens.allSatisfy { 0...(1 << 40) ~= $0 } && kind.shares.count == layers.count
      && layers.indices.contains(kind.clearest)
  }
}
