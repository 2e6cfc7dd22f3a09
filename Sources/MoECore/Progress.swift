/// The progress of a long-running operation.
public struct Progress: Hashable, Sendable {
  /// What is being done, for example "writing tensors".
  public var activity: String
  /// Units done so far, 0 to ``total``.
  public var completed: Int
  /// The total number of units.
  public var total: Int

  /// States that `completed` of `total` units are done.
  public init(_ activity: String, completed: Int, total: Int) {
    self.activity = activity
    self.completed = completed
    self.total = total
  }
}

/// Receives progress during an operation, on the thread that performs it.
public typealias ProgressHandler = (Progress) -> Void
