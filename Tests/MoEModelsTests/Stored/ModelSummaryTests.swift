import Foundation
import MoEModels
import MoETestSupport
import SystemPackage
import Testing

@Suite("Summaries of models")
struct ModelSummaryTests {
  /// The keys of a summary as JSON, in order.
  private func keys(_ summary: ModelSummary) throws -> [String] {
    let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(summary))
    return try #require(json as? [String: Any]).keys.sorted()
  }

  @Test("of language models are one flat object in JSON, which can be read back")
  func language() throws {
    let summary = try ModelSummary(Fixtures.path("decoders").appending("olmoe"))
    #expect(
      try keys(summary) == [
        "activeParameters", "bytes", "bytesByType", "contextLength", "experts", "expertsPerToken",
        "family", "hiddenSize", "layers", "modules", "parameters", "sparseLayers",
        "vocabularySize", "warnings",
      ])
    let again = try JSONDecoder().decode(ModelSummary.self, from: JSONEncoder().encode(summary))
    #expect(again == summary && summary.decoder?.tokenizerSize == nil)
    let lines = summary.text.split(separator: "\n").map { String($0.prefix(13)) }
    #expect(
      lines == [
        "family       ", "parameters   ", "layers       ", "experts      ", "hidden size  ",
        "vocabulary   ", "context      ", "weights      ", "embedding    ", "attention    ",
        "router       ", "experts      ", "head         ", "other        ", "all          ",
        "tokenizer    ", "warning      ",
      ])
  }

  @Test("of other kinds list facts, in JSON and in text")
  func facts() throws {
    let summary = try ModelSummary(Fixtures.package.pushing("Data/digits-classifier"))
    #expect(
      try keys(summary) == [
        "activeParameters", "bytesByType", "facts", "family", "parameters", "warnings",
      ])
    let again = try JSONDecoder().decode(ModelSummary.self, from: JSONEncoder().encode(summary))
    #expect(again == summary && summary.decoder == nil)
    #expect(summary.text.contains("\nanswers       10 classes: 0, 1, 2"))
  }
}
