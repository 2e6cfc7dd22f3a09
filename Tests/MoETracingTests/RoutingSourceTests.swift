import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("Files with routing")
struct RoutingSourceTests {
  @Test(
    "are traces by their content, too, when their names say nothing", arguments: ["t", "t.trace"])
  func names(name: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.file(name)
    let writer = try RoutingTraceWriter(
      RoutingTraceHeader(layers: [0, 1], experts: 2, k: 1), tokens: false, to: path)
    try writer.append(experts: [0, 1, 0, 1, 1, 0])
    try writer.finish()
    #expect(try RoutingSource(path).counts().loads == [[2, 1], [1, 2]])
    #expect { try TraceImport(path) } throws: { "\($0)".contains("which needs no import") }
    #expect { try CountMatrix.read(path) } throws: { "\($0)".contains("a trace") }
    // A header that is longer than the file belongs to no trace.
    let text = try folder.write(Array("0,1,2,3\n{\n".utf8), to: "text")
    #expect { try RoutingSource(text) } throws: { "\($0)".contains("line 2") }
  }

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
