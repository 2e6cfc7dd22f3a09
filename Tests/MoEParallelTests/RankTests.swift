#if MPI
import Foundation
import MoEParallel
import Testing

/// Run by `make test` under mpirun, once per group size.
@Suite("Ranks", .enabled(if: ranks > 0, "run under mpirun by Scripts/test"))
struct RankTests {
  @Test("obey the laws of communicators")
  func laws() throws {
    let group = try MPICommunicator()
    #expect(group.size == ranks)
    try checkLaws(of: group)
    #expect(throws: CommunicationError.alreadyStarted) { try MPICommunicator() }
    try oneRankRefuses(group)
  }
}

/// One rank cannot take part; all must be told, and none may wait forever.
private func oneRankRefuses(_ group: MPICommunicator) throws {
  let count = group.rank == 0 ? group.size + 1 : group.size
  let expected: CommunicationError =
    group.rank == 0
    ? .wrongShareCount(shares: group.size + 1, ranks: group.size) : .refusedElsewhere
  #expect(throws: expected) { try group.allToAll(Array(repeating: [1], count: count)) }
  // The group works as before.
  #expect(try group.allGather([7]).count == group.size)
}

private let ranks = Int(ProcessInfo.processInfo.environment["SWITCHYARD_TEST_RANKS"] ?? "") ?? 0
#endif
