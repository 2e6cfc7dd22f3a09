/// How far a long piece of work has come.
public struct Progress: Hashable, Sendable {
  /// What is being done, for example "writing tensors".
  public var activity: String
  /// Units done so far, 0 to ``total``.
  public var completed: Int
  /// Units in all.
  public var total: Int

  /// States that `completed` of `total` units are done.
  public init(_ activity: String, completed: Int, total: Int) {
    self.activity = activity
    self.completed = completed
    self.total = total
  }
}

/// Receives progress while work runs; called on the thread that does the work.
public typealias ProgressHandler = (Progress) -> Void
