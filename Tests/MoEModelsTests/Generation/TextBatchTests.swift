import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import Testing

@Suite("Texts that are made together")
struct TextBatchTests {
  private struct Result: Equatable {
    var tokens: [Int] = []
    var logProbabilities: [Float] = []
    var end: TextEnd?
  }

  private static func request(_ place: Int) throws -> TextRequest {
    TextRequest(
      id: "text \(place)", prompt: (0..<1 + place * 13 % 40).map { ($0 * 53 + place) % 307 },
      sampler: Sampler(try SamplingSettings(), seed: 3, request: "text \(place)"),
      limit: 4 + place % 5)
  }

  /// Makes texts, at most some at a time, removing one when it has two tokens.
  private static func made(
    _ model: MoEDecoder, _ requests: [TextRequest], together: Int, chunk: Int,
    removing removed: String? = nil
  ) -> [String: Result] {
    let batch = TextBatch(model, chunk: chunk, wantsLogProbabilities: true)
    var waiting = requests[...]
    var results: [String: Result] = [:]
    while true {
      while batch.count < together, let next = waiting.popFirst() { batch.add(next) }
      guard batch.count > 0 else { return results }
      for (id, event) in batch.step() {
        switch event {
        case .token(let token, let logProbability):
          results[id, default: Result()].tokens.append(token)
          results[id]?.logProbabilities.append(logProbability ?? .nan)
          if id == removed, results[id]?.tokens.count == 2 { batch.remove(id) }
        case .end(let end): results[id, default: Result()].end = end
        case .failure(let error): Issue.record("\(error)")
        }
      }
    }
  }

  @Test("are the same alone and together, in parts, and after one was removed")
  func company() throws {
    for dtype in [DType.f32, .bf16] {
      let model = try CompanyModels.model("olmoe", dtype)
      let requests = try (0..<11).map(Self.request)
      let alone = Self.made(model, requests, together: 1, chunk: 512)
      #expect(alone.count == 11)
      for (place, request) in requests.enumerated() {
        #expect(alone[request.id]?.end == .maxTokens)
        #expect(alone[request.id]?.tokens.count == 4 + place % 5)
      }
      #expect(Set(alone.values.map(\.tokens)).count == 11)
      for (together, chunk) in [(2, 512), (3, 17), (8, 1), (11, 64)] {
        let found = Self.made(model, requests, together: together, chunk: chunk)
        #expect(found == alone, "\(dtype), \(together) together, parts of \(chunk)")
      }
      let cut = Self.made(model, requests, together: 4, chunk: 30, removing: "text 2")
      #expect(cut["text 2"]?.tokens == alone["text 2"].map { Array($0.tokens.prefix(2)) })
      #expect(cut.filter { $0.key != "text 2" } == alone.filter { $0.key != "text 2" })
    }
  }

  @Test("report what the model thought of each token")
  func logProbabilities() throws {
    let model = try CompanyModels.model("mixtral", .f32)
    let request = try Self.request(4)
    let found = Self.made(model, [request], together: 1, chunk: 512)
    let result = try #require(found[request.id])
    let tokens = request.prompt + result.tokens
    let scores = withoutGradients {
      model(Tensor(tokens, shape: [1, tokens.count])).logits[0].logSoftmax(axis: 1)
    }
    for (place, token) in result.tokens.enumerated() {
      let expected = scores[request.prompt.count - 1 + place].array(of: Float.self)[token]
      #expect(abs(result.logProbabilities[place] - expected) < 1e-3)
    }
  }

  @Test("end when the context is full, and when the model ends them")
  func ends() throws {
    let model = try CompanyModels.model("llama", .f32)
    var request = try Self.request(3)
    (request.limit, request.context) = (100, request.prompt.count + 6)
    let full = Self.made(model, [request], together: 1, chunk: 512)[request.id]
    #expect(full?.end == .context && full?.tokens.count == 6)
    request.limit = 6
    #expect(Self.made(model, [request], together: 1, chunk: 512)[request.id]?.end == .maxTokens)
  }
}
