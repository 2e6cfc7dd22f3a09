import MoEModels
import MoETokenizers

/// A text in the making: its tokens, and as much of their text as is certain.
struct GeneratedText {
  let prompt: Prompt
  let promptTokens: Int
  private(set) var tokens: [Int] = []
  private(set) var text = ""
  /// Why it ended.
  private(set) var end = TextEnd.maxTokens
  private var logProbabilities: [Float]?
  private var stream: StreamingDecoder
  private var stops: StopTexts

  init(
    _ prompt: Prompt, promptTokens: Int, _ tokenizer: Tokenizer, stops: [String],
    keepsLogProbabilities: Bool
  ) {
    (self.prompt, self.promptTokens) = (prompt, promptTokens)
    logProbabilities = keepsLogProbabilities ? [] : nil
    (stream, self.stops) = (tokenizer.streamingDecoder(), StopTexts(stops))
  }

  /// Adds a token; returns the text that it completes, and whether a stop text has ended the whole.
  mutating func append(_ token: Int, _ logProbability: Float?) throws -> (text: String, stops: Bool)
  {
    tokens.append(token)
    if let logProbability { logProbabilities?.append(logProbability) }
    let found = stops.append(try stream.append(token))
    text += found.text
    return (found.text, found.isFound)
  }

  /// Ends the text; returns what was held back.
  ///
  /// The last bytes may complete a stop text, too.
  mutating func finish(_ end: TextEnd) -> String {
    self.end = end
    guard end != .stop else { return "" }
    let piece = stops.append(stream.finish())
    if piece.isFound { self.end = .stop }
    let rest = piece.isFound ? piece.text : piece.text + stops.finish()
    text += rest
    return rest
  }

  /// What programs read, of a finished text.
  var record: TextRecord {
    TextRecord(
      id: prompt.id, prompt: prompt.text, text: text, tokens: tokens, end: end,
      promptTokens: promptTokens,
      logProbabilities: logProbabilities)
  }
}

/// A finished text, as a line of JSON.
struct TextRecord: Codable {
  var id: String
  var prompt: String
  var text: String
  var tokens: [Int]
  var end: TextEnd
  var promptTokens: Int
  /// What the model thought of each token, in nats.
  var logProbabilities: [Float]?

  enum CodingKeys: String, CodingKey {
    case id, prompt, text, tokens, end
    case promptTokens = "prompt_tokens"
    case logProbabilities = "log_probabilities"
  }
}
