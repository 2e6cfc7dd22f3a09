import MoECore
import MoEModels
import MoETokenizers

/// Continues many prompts, some of them together, and writes each text when it and those before it are finished.
final class PromptRun {
  private let batch: TextBatch
  private let tokenizer: Tokenizer
  private let options: Generate
  private let records: RecordFile
  private let context: Int
  private var waiting: ArraySlice<(prompt: Prompt, tokens: [Int])>
  private var texts: [String: GeneratedText] = [:]
  /// The prompts in their order, and what became of those that have ended; `nil` for one that failed.
  private var order: ArraySlice<String>
  private var finished: [String: TextRecord?] = [:]
  private(set) var made = 0
  private(set) var read = 0
  private(set) var failures = 0

  init(
    _ prompts: [Prompt], _ model: MoEDecoder, _ tokenizer: Tokenizer, _ options: Generate,
    _ records: RecordFile
  ) {
    (self.tokenizer, self.options, self.records) = (tokenizer, options, records)
    context = model.configuration.contextLength
    batch = TextBatch(
      model, tokenCount: tokenizer.vocabularyCount, chunk: options.chunk,
      wantsLogProbabilities: options.logProbabilities)
    waiting = []
    order = []
    for prompt in prompts {
      let tokens = tokenizer.encode(prompt.text)
      guard 1..<context ~= tokens.count else {
        fail(
          prompt,
          "has \(counted(tokens.count, "token")), but must have 1 to \(context - 1) for this model")
        continue
      }
      waiting.append((prompt, tokens))
      order.append(prompt.id)
    }
  }

  /// Reports a prompt that is not continued.
  private func fail(_ prompt: Prompt, _ problem: String) {
    failures += 1
    Output.message("line \(prompt.line): the prompt \(problem)")
  }

  /// Continues all prompts, or as many as are finished when the user interrupts.
  func run() throws {
    let progress = ProgressLine()
    defer { progress.end() }
    let total = order.count
    var done = 0
    do {
      try makeTexts { finished in
        done += finished
        progress.show(Progress("generating", completed: done, total: total))
      }
    } catch {
      // The failure says more than a second one would.
      try? writeFinished()
      throw error
    }
    try writeFinished()
  }

  /// Makes texts until all have ended or the user interrupts.
  private func makeTexts(ended: (Int) -> Void) throws {
    while !Interruption.isRequested {
      while batch.count < options.batch, let next = waiting.popFirst() {
        try add(next.prompt, next.tokens)
      }
      guard batch.count > 0 else { break }
      var count = 0
      for (id, event) in batch.step() where texts[id] != nil {
        if try handle(event, of: id) { count += 1 }
      }
      try writeInOrder()
      ended(count)
    }
  }

  /// Keeps what is finished when a run ends early, whatever is not finished before it.
  private func writeFinished() throws {
    for id in order {
      if let record = finished.removeValue(forKey: id) ?? nil { try records.append(record) }
    }
  }

  private func add(_ prompt: Prompt, _ tokens: [Int]) throws {
    texts[prompt.id] = GeneratedText(
      prompt, promptTokens: tokens.count, tokenizer, stops: options.stop,
      keepsLogProbabilities: options.logProbabilities)
    read += tokens.count
    batch.add(
      TextRequest(
        id: prompt.id, prompt: tokens,
        sampler: Sampler(
          try options.settings(), seed: prompt.seed ?? options.seed, request: prompt.id),
        limit: options.maxTokens, context: context))
  }

  /// Whether the text has ended.
  private func handle(_ event: TextBatch.Event, of id: String) throws -> Bool {
    switch event {
    case .token(let token, let logProbability):
      made += 1
      guard try texts[id]?.append(token, logProbability).stops ?? false else { return false }
      batch.remove(id)
      finish(id, .stop)
    case .end(let end): finish(id, end)
    case .failure(let error):
      if let prompt = texts.removeValue(forKey: id)?.prompt {
        fail(prompt, "has no next token: \(error)")
      }
      finished[id] = .some(nil)
    }
    return true
  }

  private func finish(_ id: String, _ end: TextEnd) {
    guard var text = texts.removeValue(forKey: id) else { return }
    _ = text.finish(end)
    finished[id] = text.record
  }

  private func writeInOrder() throws {
    while let id = order.first, let record = finished[id] {
      if let record { try records.append(record) }
      order.removeFirst()
      finished[id] = nil
    }
  }
}
