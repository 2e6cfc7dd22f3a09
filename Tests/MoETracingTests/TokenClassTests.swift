import MoECore
import MoETestSupport
import MoETracing
import Testing

@Suite("Kinds of tokens")
struct TokenClassTests {
  @Test("are determined by their text")
  func kinds() {
    let samples: [(String, TokenClass)] = [
      (" the", .functionWord), (" The", .functionWord), (" gate", .wordStart),
      ("ing", .continuation),
      ("the", .continuation), (" don't", .wordStart), ("'s", .continuation), ("12", .number),
      (" 7", .number), ("½", .number), (",", .punctuation), (" (", .punctuation),
      ("+=", .punctuation),
      ("\n", .whiteSpace), ("   ", .whiteSpace), ("", .other), ("\u{FFFD}", .other), ("x1", .other),
      (" größe", .wordStart), (" 水", .wordStart), ("🦊", .punctuation),
    ]
    for (text, kind) in samples { #expect(TokenClass(text: text) == kind, "\(text)") }
    #expect(TokenClass(text: "The", startsWord: true) == .functionWord)
    #expect(TokenClass(text: "Gate", startsWord: true) == .wordStart)
    #expect(TokenClass(text: ".", startsWord: true) == .punctuation)
  }

  @Test("a word also begins without a space, after a line end or a bracket")
  func starts() {
    let classes = TokenClasses(["ing", " gate", "\n", nil, "<s>"], specials: [4])
    #expect(classes.kind(0, after: nil) == .wordStart)
    #expect(classes.kind(0, after: .whiteSpace) == .wordStart)
    #expect(classes.kind(0, after: .wordStart) == .continuation)
    #expect(classes.kind(1, after: .wordStart) == .wordStart)
    #expect(classes.kind(2, after: nil) == .whiteSpace && classes.kind(4, after: nil) == .special)
    for id in [3, 5, -1, Int32.max] { #expect(classes.kind(Int32(id), after: nil) == nil) }
  }

  @Test("experts of one kind of token are found, and how much more it uses them")
  func specialization() throws {
    let folder = try TemporaryFolder()
    // Ids 0 and 1, a word and a comma, choose expert 0 and 1 in layer 1; layer 0 cannot tell.
    let writer = try RoutingTraceWriter(
      RoutingTraceHeader(layers: [0, 1], experts: 2, k: 1), tokens: true, to: folder.file("t"))
    let ids = (0..<400).map { Int32($0 % 2) }
    try writer.append(
      experts: ids.enumerated().flatMap { [UInt16($0 / 2 % 2), UInt16($1)] }, tokens: ids)
    try writer.finish()
    let trace = try RoutingTrace(folder.file("t"))
    let classes = TokenClasses([" gate", ","])
    let found = try #require(try Specialization.byTokenClass(trace, classes))
    #expect(found.kind == "token class" && found.groups == TokenClass.allCases.map(\.rawValue))
    #expect(found.clearest == 1 && found.shares[0] < 0.01 && found.shares[1] > 0.95)
    let (word, sign) = (1, 4)
    #expect(found.tokens[word] == 200 && found.tokens[sign] == 200)
    #expect(Array(found.lifts[word * 2..<word * 2 + 2]) == [2, 0])
    #expect(Array(found.lifts[sign * 2..<sign * 2 + 2]) == [0, 2])
    #expect(found.lifts[0] == 1, "nothing was counted of the first kind")
    #expect(try Specialization.byTokenClass(trace, TokenClasses([" gate", " word"])) == nil)
    #expect(try TraceReport(trace, classes: classes).specializations.last == found)
  }

  @Test("the strongest pair's layer is found, with lifts")
  func coactivation() throws {
    var counts = RoutingCounts(
      layers: [3, 5], expertCount: 2, k: 2, tokenCount: 100, loads: [[60, 60], [50, 50]],
      firstLoads: [[60, 60], [50, 50]], weightedLoads: [[60, 60], [50, 50]])
    #expect(CoactivationTable.strongest(counts) == nil)
    counts.coactivations = [[0, 20, 20, 0], [0, 50, 50, 0]]
    let found = CoactivationTable.strongest(counts)
    #expect(found?.layer == 5 && found?.lifts == [0, 2, 2, 0])
  }
}
