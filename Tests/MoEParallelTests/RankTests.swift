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
    #expect(throws: CommunicationError.self, "MPI starts once") { try MPICommunicator() }
  }
}

private let ranks = Int(ProcessInfo.processInfo.environment["SWITCHYARD_TEST_RANKS"] ?? "") ?? 0
#endif
