import MoETracing

/// Answers of a sparse block's experts for single patches, counted by the role of the expert.
public struct ExpertRoles: Hashable, Codable, Sendable {
  /// By experts that the router chose.
  public var routed: Int
  /// By the expert of images without a label.
  public var unconditional: Int
  /// By the expert that all patches share.
  public var shared: Int

  /// Starts with counts, by default without any.
  public init(routed: Int = 0, unconditional: Int = 0, shared: Int = 0) {
    (self.routed, self.unconditional, self.shared) = (routed, unconditional, shared)
  }

  /// Adds the answers that another count holds.
  public mutating func add(_ other: ExpertRoles) {
    routed += other.routed
    unconditional += other.unconditional
    shared += other.shared
  }

  /// Each role's share of all answers; `nil` without any.
  public var shares: DiffusionReport.Roles? {
    let all = Double(routed + unconditional + shared)
    guard all > 0 else { return nil }
    return .init(
      routed: Double(routed) / all, unconditional: Double(unconditional) / all,
      shared: Double(shared) / all)
  }
}
