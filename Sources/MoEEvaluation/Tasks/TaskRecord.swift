import Foundation
import MoECore

/// A question and its answer with the fields of the harness's sample files, so that whoever reads those reads these.
struct TaskRecord: Codable {
  var docID: Int
  var doc: JSONValue
  var target: String
  var arguments: [String: [String: String]]
  var resps: [[[String]]]
  var filteredResps: [[String]]
  var filter = "none"
  var metrics: [String]
  var docHash: String
  var promptHash: String
  var targetHash: String
  var acc: Double?
  var accNorm: Double?
  var perplexity: Double?

  enum CodingKeys: String, CodingKey {
    case docID = "doc_id"
    case filteredResps = "filtered_resps"
    case docHash = "doc_hash"
    case promptHash = "prompt_hash"
    case targetHash = "target_hash"
    case accNorm = "acc_norm"
    case doc, target, arguments, resps, filter, metrics, acc, perplexity
  }

  init(
    _ question: TaskQuestion, _ requests: [TaskRequest], _ answer: TaskAnswer,
    metrics: [TaskMetric]
  ) {
    docID = answer.place
    doc = .object(question.fields)
    target = question.target
    arguments = Dictionary(
      uniqueKeysWithValues: requests.enumerated().map {
        ("gen_args_\($0)", ["arg_0": $1.context, "arg_1": $1.continuation])
      })
    filteredResps = zip(answer.logLikelihoods, answer.areGreedy).map {
      ["\($0)", $1 ? "True" : "False"]
    }
    resps = filteredResps.map { [$0] }
    self.metrics = metrics.map(\.rawValue)
    docHash = Self.hash(PythonJSON.indented(doc))
    promptHash = Self.hash(requests[0].context)
    targetHash = Self.hash(target)
    for (metric, value) in zip(metrics, answer.values) {
      switch metric {
      case .accuracy: acc = value
      case .normalizedAccuracy: accNorm = value
      case .perplexity: perplexity = value
      }
    }
  }

  /// The hash of a text, as the harness has it.
  static func hash(_ text: String) -> String { SHA256.hexadecimal(of: Array(text.utf8)) }

  /// What the record says about a question, if it belongs to it.
  ///
  /// - Returns: The answer; `nil` for a record of something else.
  func answer(
    to question: TaskQuestion, _ requests: [TaskRequest], place: Int, metrics: [TaskMetric]
  ) -> TaskAnswer? {
    let numbers = filteredResps.compactMap { $0.first.flatMap { Double($0) } }.filter(\.isFinite)
    let greedy = filteredResps.compactMap { ["True": true, "False": false][$0.last ?? ""] }
    guard docID == place, promptHash == Self.hash(requests[0].context),
      targetHash == Self.hash(question.target), doc == .object(question.fields),
      numbers.count == requests.count, greedy.count == requests.count
    else { return nil }
    return TaskAnswer(
      question, place: place, logLikelihoods: numbers, areGreedy: greedy, metrics: metrics)
  }
}
