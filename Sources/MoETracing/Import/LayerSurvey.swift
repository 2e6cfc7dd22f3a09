/// What must be known of the choices of a layer before the first token is written.
///
/// Engines fill the slots of dense layers, and of tokens that they did not record, with zeros. A token cannot choose
/// expert 0 twice, so a row of zeros is padding, as is a row of unused slots. With one slot per token nothing tells
/// padding from expert 0.
struct LayerSurvey {
  /// Whether any token has choices.
  private(set) var hasChoices = false
  /// The largest expert, -1 without choices.
  private(set) var largest = -1
  /// The most slots that a token uses.
  private(set) var usedSlots = 0
  /// The expert that all tokens chose, if they all chose one expert only.
  private(set) var constant: Int?
  private var isConstant = true

  /// The first token that has choices in other layers, but zeros here.
  private(set) var firstZeros: Int?

  /// What the slots of a token hold.
  enum Row {
    case choices, unused
    /// Several slots with expert 0.
    case zeros

    init(_ slots: some RandomAccessCollection<UInt16>) {
      var used = 0
      for slot in slots where slot != RoutingTraceHeader.unusedSlot {
        guard slot == 0 else {
          self = .choices
          return
        }
        used += 1
      }
      self = used == 0 ? .unused : used == 1 ? .choices : .zeros
    }
  }

  /// Takes a token's slots into account.
  mutating func add(_ slots: some RandomAccessCollection<UInt16>) -> Row {
    let row = Row(slots)
    guard row == .choices else { return row }
    hasChoices = true
    var (used, only) = (0, Int?.none)
    for slot in slots where slot != RoutingTraceHeader.unusedSlot {
      (used, only) = (used + 1, Int(slot))
      largest = max(largest, Int(slot))
    }
    usedSlots = max(usedSlots, used)
    isConstant = isConstant && used == 1 && (constant ?? only) == only
    constant = isConstant ? only : nil
    return row
  }

  /// Notes a row of zeros of a token that has choices in other layers.
  mutating func addZeros(token: Int) { firstZeros = firstZeros ?? token }
}
