import MoECore
import MoEEvaluation
import MoETestSupport
import MoETokenizers
import MoETracing
import SystemPackage
import Testing

@Suite("Texts whose routing is recorded")
struct TextRecordingTests {
  private static let model = Fixtures.package.pushing("Data/bible-moe")
  private let folder: TemporaryFolder
  private let text: FilePath

  init() throws {
    folder = try TemporaryFolder()
    text = try folder.write(
      Array(String(repeating: "And the LORD said unto Moses.\n", count: 20).utf8), to: "a.txt")
  }

  @Test("become windows of one trace, which is deleted after use")
  func windows() throws {
    let recording = try TextRecording([text, text], tokens: 20, window: 8)
    var seen = 0
    try recording.withTrace(of: Self.model) { trace, tokenizer in
      #expect(trace.sequenceStarts == [0, 8, 16, 20, 28, 36] && trace.tokenCount == 40)
      #expect(trace.header.sources == ["a.txt", "a.txt"] && trace.header.model == "bible-moe")
      let ids = try #require(try trace.tokens(in: 0..<8)).map { Int($0) }
      #expect(try tokenizer.decode(ids).hasPrefix("And the LORD"))
      seen += 1
    }
    let path = folder.file("t.safetensors")
    var progress: [Progress] = []
    let count = try recording.record(Self.model, to: path) { progress.append($0) }
    #expect(seen == 1 && count == 40)
    #expect(progress.map(\.completed) == [400, 800, 1_000, 400, 800, 1_000])
    #expect(progress.allSatisfy { $0.total == 1_000 })
  }

  @Test("do not fit where a window and what is generated exceed the model's context")
  func tooLong() throws {
    let recording = try TextRecording([text], window: 100_000, generated: 1)
    let path = folder.file("t.safetensors")
    #expect(throws: SettingError.self) { try recording.record(Self.model, to: path) }
    #expect(path.isMissing)
  }

  @Test("tokens are classified by the text that they add")
  func classes() throws {
    let tokenizer = try Tokenizer(Self.model)
    let classes = try TokenClasses(tokenizer)
    let ids = tokenizer.encode("said unto the", addingSpecialTokens: false)
    let last = try #require(ids.last)
    #expect(classes.kind(Int32(last), after: .wordStart) == .functionWord)
  }
}
