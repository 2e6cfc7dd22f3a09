import MoEData

/// How batches use up the examples of a data set, pass after pass.
public struct DataConsumption: Hashable, Sendable {
  /// Examples in a pass; at least 1.
  public var examples: Int
  /// Examples in a micro-batch; at least 1.
  public var batch: Int
  /// Whether a batch at the end of a pass is filled from the next one, rather than cut short.
  public var crossesPasses: Bool

  /// Describes batches.
  public init(examples: Int, batch: Int, crossesPasses: Bool = true) {
    precondition(examples >= 1 && batch >= 1)
    (self.examples, self.batch, self.crossesPasses) = (examples, batch, crossesPasses)
  }

  /// The position after some micro-batches; at the end of a pass, that end.
  func position(afterBatches count: Int) -> DataPosition {
    guard count > 0 else { return DataPosition() }
    guard crossesPasses else {
      let perPass = (examples + batch - 1) / batch
      let epoch = (count - 1) / perPass
      return DataPosition(
        epoch: epoch, index: min((count - epoch * perPass) * batch, examples))
    }
    let used = count * batch
    let epoch = (used - 1) / examples
    return DataPosition(epoch: epoch, index: used - epoch * examples)
  }
}
