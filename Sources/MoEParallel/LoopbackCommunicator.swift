/// The only rank of a group of one: everything sent comes back.
public struct LoopbackCommunicator: Communicator {
  /// 0.
  public var rank: Int { 0 }
  /// 1.
  public var size: Int { 1 }

  /// A group of one.
  public init() {}

  /// Returns at once.
  public func barrier() throws(CommunicationError) {}

  /// Returns the only share.
  ///
  /// - Throws: ``CommunicationError/wrongShareCount(shares:ranks:)`` unless there is one share.
  public func allToAll(_ shares: [[UInt8]]) throws(CommunicationError) -> [[UInt8]] {
    guard shares.count == 1 else { throw .wrongShareCount(shares: shares.count, ranks: 1) }
    return shares
  }
}
