import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

/// Dumps of a server that runs several requests in a pass; `make/traces_serving.py` says what they hold.
@Suite("Records of a server")
struct ServingRecordTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func load(_ names: String...) throws -> RoutingTrace {
    let paths = names.map { Fixtures.path("traces/" + $0) }
    try TraceImport(paths[0], joining: Array(paths.dropFirst())).write(to: folder.file("t"))
    return try RoutingTrace(folder.file("t"))
  }

  /// The tokens of each sequence.
  private func sequences(_ trace: RoutingTrace) throws -> [[Int32]] {
    let ids = try #require(try trace.tokens(in: 0..<trace.tokenCount))
    let starts = trace.sequenceStarts
    return zip(starts, starts.dropFirst() + [ids.count]).map { Array(ids[$0..<$1]) }
  }

  /// What the script makes of a token's id.
  private func expected(_ trace: RoutingTrace) throws -> [UInt16] {
    var result: [UInt16] = []
    for id in try #require(try trace.tokens(in: 0..<trace.tokenCount)) {
      for layer in 1...2 {
        let first = Int(id) + layer
        result += [UInt16(first % 8), UInt16((first + 3) % 8)]
      }
    }
    return result
  }

  @Test("give every request the tokens that were decoded together, and tell prompt from answer")
  func decodedTogether() throws {
    let trace = try load("sglang_requests.pt")
    #expect(try sequences(trace) == [[10, 11, 12, 13, 14], [20, 21, 22, 23]])
    #expect(trace.promptLengths == [3, 2])
    #expect(trace.header.layers == [1, 2] && trace.header.k == 2 && trace.header.experts == 8)
    #expect(try trace.experts(in: 0..<9) == expected(trace))
  }

  @Test(
    "keep requests apart whose first tokens were cached, and join prompts that were read in parts")
  func cachedPrefix() throws {
    let trace = try load("sglang_prefix.pt")
    #expect(
      try sequences(trace) == [[14, 15, 16, 17], [22, 23, 24, 25], [30, 31, 32, 33]])
    #expect(trace.promptLengths == [3, 3, 4])
    #expect(try trace.experts(in: 0..<12) == expected(trace))
  }

  @Test("go by the requests' names where they have them, and of several ranks become one trace")
  func named() throws {
    #expect(try sequences(load("sglang_named.pt")) == [[10, 11], [20, 21, 22]])
    let trace = try load("sglang_requests.pt", "sglang_named.pt")
    #expect(trace.sequenceStarts == [0, 5, 9, 11] && trace.promptLengths == [3, 2, 2, 2])
  }

  @Test("with drafts of speculative decoding are refused by their mode")
  func drafts() throws {
    #expect {
      try load("sglang_draft.pt")
    } throws: { "\($0)".contains("forward_mode 5") && "\($0)".contains("sglang_draft.pt") }
  }

  @Test(
    "with positions that no request has are refused with their record",
    arguments: [("sglang_huge.pt", "9223372036854775806"), ("sglang_negative.pt", "-5")])
  func positions(name: String, position: String) throws {
    #expect {
      try load(name)
    } throws: {
      "\($0)".contains("\(name): record 1: token 0 has position \(position);")
    }
    #expect(try folder.contents() == [])
  }

  @Test("that only count leave dense layers out, and invent neither tokens nor k")
  func counts() throws {
    let counts = try CountMatrix.read(Fixtures.path("traces/sglang_dense.pt"))
    #expect(counts.layers == [1, 2] && counts.loads == [[2, 3, 4, 5], [5, 4, 3, 0]])
    #expect(counts.tokenCount == nil && counts.k == nil && counts.firstLoads == [])
    let report = TraceReport(counts)
    #expect(report.tokens == nil && report.k == nil)
    #expect(
      report.diagnosis.contains { $0.contains("1 of 8 experts were never chosen, in 1 layer.") })
    #expect(report.diagnosis.contains { $0.hasPrefix("Layer 0 has no counts") })
    #expect(report.diagnosis.contains { $0.contains("are unknown") })
  }
}
