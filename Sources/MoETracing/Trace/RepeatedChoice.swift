/// A token that chose an expert of a layer twice.
///
/// No router does that: such entries are padding, or the file is damaged.
struct RepeatedChoice {
  /// The index of the row of slots: `token · layers + column`.
  let row: Int
  /// The expert that occurs twice.
  let expert: UInt16

  /// Finds the first repeated choice in rows of `k` slots; `nil` if there is none.
  ///
  /// - Precondition: Every choice is below `experts` or an unused slot.
  init?(in choices: Span<UInt16>, k: Int, experts: Int) {
    guard k > 1 else { return nil }
    // The number, from 1, of the last row that chose each expert, so that nothing is cleared between rows.
    var last = [Int](repeating: 0, count: experts)
    var (place, row) = (0, 1)
    while place < choices.count {
      for slot in place..<place + k {
        let expert = choices[slot]
        guard expert != RoutingTraceHeader.unusedSlot else { continue }
        guard last[Int(expert)] != row else {
          (self.row, self.expert) = (row - 1, expert)
          return
        }
        last[Int(expert)] = row
      }
      (place, row) = (place + k, row + 1)
    }
    return nil
  }
}
