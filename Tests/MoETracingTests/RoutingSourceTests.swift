import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("Files with routing")
struct RoutingSourceTests {
  @Test("are traces by their name, or counts, and both can be compared")
  func sources() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("t.safetensors")
    let writer = try RoutingTraceWriter(
      RoutingTraceHeader(layers: [0, 1], experts: 2, k: 1), tokens: false, to: path)
    try writer.append(experts: [0, 1, 0, 1, 1, 0])
    try writer.finish()
    guard case .trace(let trace) = try RoutingSource(path) else {
      Issue.record("not a trace")
      return
    }
    #expect(trace.tokenCount == 3)
    #expect(try RoutingSource(path).counts().loads == [[2, 1], [1, 2]])
    guard case .counts(let counts) = try RoutingSource(Fixtures.path("traces/sglang_stat.pt"))
    else {
      Issue.record("not counts")
      return
    }
    #expect(try RoutingSource(Fixtures.path("traces/sglang_stat.pt")).counts() == counts)
  }
}
