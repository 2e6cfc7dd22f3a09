import ArgumentParser
import MoECore
import MoEModels
import SystemPackage

struct Classify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Predict the class or score of a text, and show which expert answered.",
    discussion: """
      MODEL is a folder that 'switchyard train' made with "task": "classification". The answer \
      names the class or score, the expert that was chosen, and the gate's weight for each expert. \
      A file holds one text per line; the second text of a pair follows after a tab. The answers to \
      a file begin with the line's number and end with its text; blank lines are skipped.

      Examples:
        switchyard classify runs/hecto-agnews "Shares fell after the results."
        switchyard classify runs/hecto-stsb/model "A man sings." --pair "A person is singing."
        switchyard classify runs/hecto-agnews/model --file news.txt --json
        switchyard classify runs/hecto-agnews "Shares fell after the results." --quantize 4
      """)

  @Argument(help: "Folder of a model or of its training run.", completion: .directory) var model:
    PathArgument
  @Argument(help: "The text.") var text: String?
  @Option(help: "The second text of a pair.") var pair: String?
  @Option(help: "A file with one text per line; - is standard input.", completion: .file())
  var file: PathArgument?
  @Flag(help: "Print one JSON object per text.") var json = false
  @OptionGroup var quantization: QuantizationOptions
  @OptionGroup var engine: EngineOptions

  func validate() throws {
    guard (text == nil) != (file == nil) else {
      throw ValidationError("name either a text or --file.")
    }
    guard pair == nil || file == nil else {
      throw ValidationError(
        "--pair belongs to a text; in a file, the second text follows after a tab.")
    }
  }

  /// The output for a text.
  struct Answer: Codable {
    /// The line in the file, from 1; `nil` for a text that is not in a file, as for the texts below.
    var line: Int?
    var text: String?
    var pair: String?
    var label: String?
    var probabilities: [String: Float]?
    var score: Double?
    var expert: Int
    var kind: String
    var gate: [Float]
    var truncated: Bool
  }

  func run() throws {
    engine.apply()
    Output.warn(ofFilesAt: model.path)
    let location = try ModelLocation(model.path)
    try location.check(is: TextClassifiers.self)
    let classifier = try classifier(location.path)
    let preparation = try classifier.preparation(location.path)
    let pairs = classifier.configuration.readsPairs
    let texts = try texts()
    for (line, _, second) in texts where (second != nil) != pairs {
      throw TextError(
        path: file?.path ?? "text",
        problem: (file == nil ? "is " : "has on line \(line) ")
          + (pairs
            ? "a single text, but the model reads pairs; the second one goes \(file == nil ? "to --pair" : "after a tab")"
            : "a pair, but the model reads single texts"))
    }
    var skipped: [Int] = []
    for (line, first, second) in texts {
      guard let prepared = preparation(first, second) else {
        guard file != nil else { throw TextError(path: "text", problem: "is empty") }
        skipped.append(line)
        continue
      }
      var answer = answer(
        try classifier.predict([prepared.text])[0], classifier.configuration, prepared.isTruncated)
      if file != nil { (answer.line, answer.text, answer.pair) = (line, first, second) }
      try show(answer)
    }
    try Output.flush()
    guard skipped.count < texts.count else {
      throw TextError(
        path: file?.path ?? "text", problem: "holds no text: all its lines are blank or unreadable")
    }
    report(skipped)
  }

  private func classifier(_ path: FilePath) throws -> TextClassifier {
    let progress = ProgressLine()
    defer { progress.end() }
    let form = try quantization.form(progress) { try TextClassifier.linearModules(of: path) }
    return try TextClassifier.open(path, as: form)
  }

  /// Says which lines have no text that the model could read, such as control characters alone.
  private func report(_ skipped: [Int]) {
    guard !skipped.isEmpty else { return }
    let lines = skipped.prefix(8).map(String.init).joined(separator: ", ")
    Output.message(
      "skipped \(counted(skipped.count, "line")) without text: \(lines)\(skipped.count > 8 ? ", …" : "")"
    )
  }

  /// The texts and their lines, without blank ones.
  private func texts() throws -> [(line: Int, first: String, second: String?)] {
    guard let file else { return [(1, text ?? "", pair)] }
    let lines = try readText(file.path).split(
      omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" })
    return lines.enumerated().filter { $1.contains { !$0.isWhitespace } }.map { place, line in
      let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
      return (place + 1, String(parts[0]), parts.count == 2 ? String(parts[1]) : nil)
    }
  }

  private func answer(
    _ prediction: TextClassifier.Prediction, _ configuration: ClassifierConfiguration,
    _ isTruncated: Bool
  ) -> Answer {
    let kind = configuration.mixture.experts[prediction.expert].name
    var answer = Answer(
      score: prediction.score, expert: prediction.expert, kind: kind, gate: prediction.gate,
      truncated: isTruncated)
    if case .classes(let names) = configuration.target {
      answer.label = names[prediction.label]
      answer.probabilities = Dictionary(
        zip(names, prediction.probabilities), uniquingKeysWith: { first, _ in first })
    }
    return answer
  }

  private func show(_ answer: Answer) throws {
    if json {
      return Output.line(try JSONText.line(answer))
    }
    let gate = answer.gate.map { NumberText.percent($0) }.joined(separator: ", ")
    let result =
      if let label = answer.label {
        "\(label) (\(NumberText.percent(answer.probabilities?[label] ?? 0)))"
      } else { NumberText.fixed(Double(answer.score ?? 0), 2) }
    let note = answer.truncated ? "; truncated to the maximum length" : ""
    let line = answer.line.map { "\($0): " } ?? ""
    let text = [answer.text, answer.pair].compactMap(\.self).map { ": \($0)" }.joined()
    Output.line(
      "\(line)\(result); expert \(answer.expert) (\(answer.kind)), gate \(gate)\(note)\(text)"
        .printable)
  }
}
