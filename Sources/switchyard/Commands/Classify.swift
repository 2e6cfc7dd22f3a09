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
      A file holds one text per line; the second text of a pair follows after a tab.

      Examples:
        switchyard classify runs/hecto-agnews "Shares fell after the results."
        switchyard classify runs/hecto-stsb/model "A man sings." --pair "A person is singing."
        switchyard classify runs/hecto-agnews/model --file news.txt --json
      """)

  @Argument(help: "Folder of a model or of its training run.", completion: .directory) var model:
    PathArgument
  @Argument(help: "The text.") var text: String?
  @Option(help: "The second text of a pair.") var pair: String?
  @Option(help: "A file with one text per line.", completion: .file()) var file: PathArgument?
  @Flag(help: "Print one JSON object per text.") var json = false
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
    let location = try ModelLocation(model.path)
    let classifier = try location.open(as: TextClassifiers.self)
    let preparation = try classifier.preparation(location.path)
    let pairs = classifier.configuration.readsPairs
    let texts = try texts()
    for (number, (_, second)) in texts.enumerated() where (second != nil) != pairs {
      throw TextError(
        path: file?.path ?? "text",
        problem: (file == nil ? "is " : "has on line \(number + 1) ")
          + (pairs
            ? "a single text, but the model reads pairs; the second one goes \(file == nil ? "to --pair" : "after a tab")"
            : "a pair, but the model reads single texts"))
    }
    for (number, (first, second)) in texts.enumerated() {
      guard let prepared = preparation(first, second) else {
        throw TextError(
          path: file?.path ?? "text",
          problem: file == nil ? "is empty" : "has a line \(number + 1) without text")
      }
      let answer = answer(
        classifier.predict([prepared.text])[0], classifier.configuration, prepared.isTruncated)
      try show(answer)
    }
  }

  private func texts() throws -> [(String, String?)] {
    guard let file else { return [(text ?? "", pair)] }
    var lines = try readText(file.path).split(
      omittingEmptySubsequences: false, whereSeparator: { $0 == "\n" || $0 == "\r\n" })
    if lines.last == "" { lines.removeLast() }
    return lines.map { line in
      let parts = line.split(separator: "\t", maxSplits: 1, omittingEmptySubsequences: false)
      return (String(parts[0]), parts.count == 2 ? String(parts[1]) : nil)
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
    Output.line(
      "\(result); expert \(answer.expert) (\(answer.kind)), gate \(gate)\(note)".printable)
  }
}
