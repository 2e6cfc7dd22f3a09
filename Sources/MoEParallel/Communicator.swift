/// A group of processes, the ranks, that exchange data in lock-step.
///
/// Every rank calls the same functions in the same order. All calls of one process come from one thread.
public protocol Communicator {
  /// This process's number, from 0 to `size - 1`.
  var rank: Int { get }
  /// Number of processes.
  var size: Int { get }

  /// Waits until every rank has come here.
  ///
  /// - Throws: ``CommunicationError`` when the transport fails.
  func barrier() throws(CommunicationError)

  /// Sends a share to every rank, itself included, and receives one from each.
  ///
  /// - Parameter shares: Bytes for each rank, in rank order; one entry per rank, of any length.
  /// - Returns: The bytes that each rank sent here, in rank order.
  /// - Throws: ``CommunicationError`` when there is not one share per rank, the shares are too long for the
  ///   transport, or it fails.
  func allToAll(_ shares: [[UInt8]]) throws(CommunicationError) -> [[UInt8]]
}

extension Communicator {
  /// Sends the same bytes to every rank and receives those of each.
  ///
  /// - Returns: The bytes of each rank, in rank order.
  /// - Throws: ``CommunicationError`` when the bytes are too many for the transport, or it fails.
  public func allGather(_ bytes: [UInt8]) throws(CommunicationError) -> [[UInt8]] {
    try allToAll(Array(repeating: bytes, count: size))
  }
}

/// Why ranks could not exchange data.
public enum CommunicationError: Error, Hashable {
  /// There must be one share per rank.
  case wrongShareCount(shares: Int, ranks: Int)
  /// The shares of one exchange are longer than the transport can count.
  case tooManyBytes(Int)
  /// Another rank could not take part in the exchange; its own error says why.
  case refusedElsewhere
  /// MPI was started before in this process, and it can be started once only.
  case alreadyStarted
  /// The program was built without MPI.
  case notBuiltIn
  /// MPI refused a call; `message` is its own.
  case transportFailed(operation: String, message: String)
}

extension CommunicationError: CustomStringConvertible {
  /// What happened and what to change.
  public var description: String {
    switch self {
    case .wrongShareCount(let shares, let ranks):
      "\(shares) shares for \(ranks) ranks; there must be one per rank"
    case .tooManyBytes(let bytes):
      "\(bytes) bytes in one exchange; send at most 2 GiB at a time"
    case .refusedElsewhere:
      "another rank could not take part in the exchange; its own message says why"
    case .alreadyStarted:
      "MPI was started before in this process; keep the first communicator"
    case .notBuiltIn:
      "this program was built without MPI; build it with 'make build'"
    case .transportFailed(let operation, let message):
      "MPI failed in \(operation): \(message)"
    }
  }
}
