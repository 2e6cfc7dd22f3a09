import MoEParallel
import Testing

/// What holds for every communicator; all ranks call this together.
func checkLaws(
  of group: some Communicator, sourceLocation: SourceLocation = #_sourceLocation
) throws {
  #expect((0..<group.size).contains(group.rank), sourceLocation: sourceLocation)
  try group.barrier()
  // Parts of every length, including zero, that identify sender and receiver.
  let shares = (0..<group.size).map { receiver in
    [UInt8](repeating: UInt8(group.rank * 16 + receiver), count: (group.rank + receiver) % 3 * 1000)
  }
  let received = try group.allToAll(shares)
  for (sender, share) in received.enumerated() {
    let expected = [UInt8](
      repeating: UInt8(sender * 16 + group.rank), count: (sender + group.rank) % 3 * 1000)
    #expect(share == expected, "from \(sender) to \(group.rank)", sourceLocation: sourceLocation)
  }
  let gathered = try group.allGather([UInt8(group.rank)])
  #expect(gathered == (0..<group.size).map { [UInt8($0)] }, sourceLocation: sourceLocation)
  let tooMany = [[UInt8]](repeating: [], count: group.size + 1)
  #expect(
    throws: CommunicationError.wrongShareCount(shares: group.size + 1, ranks: group.size),
    sourceLocation: sourceLocation
  ) { try group.allToAll(tooMany) }
}

@Suite("Loopback")
struct LoopbackCommunicatorTests {
  @Test("obeys the laws of communicators")
  func laws() throws { try checkLaws(of: LoopbackCommunicator()) }
}
