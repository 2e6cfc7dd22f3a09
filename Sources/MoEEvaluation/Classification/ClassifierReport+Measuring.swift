import MoECore
public import MoEData
import Foundation
import MoEModels
import MoETensor
import MoETracing
public import SystemPackage

extension ClassifierReport {
  /// Opens a model and lets it answer for the texts of a file.
  ///
  /// - Parameters:
  ///   - folder: Folder of the model or of its training run.
  ///   - data: The file.
  ///   - format: Its format; `nil` for the one whose classes or scores the model has.
  ///   - other: Folder of another model or run, trained with another seed for example, whose choice of experts is compared.
  ///   - examples: Texts to show per expert.
  /// - Throws: `DataError`, `SettingError`, `ModelError`, `ConfigurationError`, `TokenizerError` or `FileError`.
  public init(
    of folder: FilePath, on data: FilePath, format: TextDataFormat? = nil,
    against other: FilePath? = nil, examples: Int = 3
  ) throws {
    let location = try ModelLocation(folder)
    let model = try location.open(as: TextClassifiers.self)
    let target = model.configuration.target
    let classes = target.classNames
    let found = TextDataFormat.allCases.first { $0.target == target }
    guard let format = format ?? found ?? classes.map({ _ in TextDataFormat.table }),
      format.target == target || (format == .table && classes != nil)
    else {
      throw SettingError(
        key: "format", value: format?.rawValue ?? "absent",
        expected: "a format with the classes or scores of the model")
    }
    let source = try format.read(
      data, supportingFacts: format == .hotpotQA && model.configuration.readsPairs,
      classes: classes)
    let set = try ClassificationSet(source, with: try model.preparation(location.path))
    let name = folder.lastComponent?.string ?? folder.string
    let from = "\(name) on \(data.lastComponent?.string ?? data.string)"
    try self.init(model, source, set, examples: examples, from: from)
    if let other { values += try Self.agreement(model, set, with: other, source) }
  }

  /// How often two models send a text to the same expert.
  private static func agreement(
    _ model: TextClassifier, _ set: ClassificationSet, with folder: FilePath,
    _ source: LabelledTexts
  ) throws -> [Measure] {
    let location = try ModelLocation(folder)
    let other = try TextClassifier.open(location.path)
    let kinds = model.configuration.mixture.experts
    guard other.configuration.mixture.experts == kinds,
      other.configuration.readsPairs == model.configuration.readsPairs
    else {
      let found = other.configuration.mixture.experts.map(\.name).joined(separator: ", ")
      throw SettingError(
        key: "against", value: "\(folder) (experts \(found))",
        expected:
          "a model with the same experts in the same order: \(kinds.map(\.name).joined(separator: ", "))"
      )
    }
    let theirs = try ClassificationSet(source, with: try other.preparation(location.path))
    let chosen = try [predictions(model, set), predictions(other, theirs)].map {
      $0.map(\.expert)
    }
    func agreement(exchangeable: Bool) -> Double {
      GroupedRouting.agreement(
        chosen[0], chosen[1], experts: kinds.count, exchangeable: exchangeable)
    }
    let same = Measure("same_expert", agreement(exchangeable: false))
    guard Set(kinds).count == 1 else { return [same] }
    return [same, Measure("same_expert_renamed", agreement(exchangeable: true))]
  }

  init(
    _ model: TextClassifier, _ source: LabelledTexts, _ set: ClassificationSet, examples: Int,
    from name: String
  ) throws {
    let predictions = try Self.predictions(model, set)
    let evaluation = ClassificationEvaluation(model.configuration, set, predictions)
    let usage = evaluation.usage
    let accuracy = evaluation.classes == nil ? nil : evaluation.accuracyByExpert
    let kinds = model.configuration.mixture.experts
    let names = model.configuration.target.classNames
    let quality = evaluation.classes.map { ClassQuality($0, names: names ?? []) }
    let groups = [usage, evaluation.usageByKind].compactMap(\.self).flatMap { usage in
      usage.groups.enumerated().map { group, name in
        let count = usage.counts[group * usage.experts..<(group + 1) * usage.experts].reduce(0, +)
        return Group(name: name, texts: count, usage: usage.usage(ofGroup: group))
      }
    }
    self.init(
      source: name, texts: set.count, truncated: set.truncated,
      values: evaluation.values.map { Measure($0.name, $0.value) }, entropy: usage.entropy,
      greatestEntropy: log(Double(kinds.count)),
      experts: kinds.enumerated().map { number, kind in
        Expert(
          number: number, kind: kind.name, usage: usage.usage[number],
          share: usage.shares[number], accuracy: accuracy?[number] ?? nil,
          certainty: Self.certainty(of: number, predictions),
          examples: Self.examples(examples, of: number, predictions, source))
      }, groups: groups, classes: quality, millisecondsPerText: try Self.time(model, set))
  }

  private static func certainty(
    of expert: Int, _ predictions: [TextClassifier.Prediction]
  ) -> [Int] {
    var counts = [Int](repeating: 0, count: 10)
    for it in predictions where it.expert == expert && it.gate[expert].isFinite {
      counts[min(9, Int(it.gate[expert] * 10))] += 1
    }
    return counts
  }

  private static func predictions(
    _ model: TextClassifier, _ set: ClassificationSet
  ) throws -> [TextClassifier.Prediction] {
    let order = (0..<set.count).sorted {
      (set.tokens[$0].ids.count, $0) < (set.tokens[$1].ids.count, $1)
    }
    var result: [(text: Int, prediction: TextClassifier.Prediction)] = []
    for start in stride(from: 0, to: order.count, by: 64) {
      let batch = Array(order[start..<min(start + 64, order.count)])
      result += zip(batch, try model.predict(batch.map { set.tokens[$0] })).map { ($0, $1) }
    }
    return result.sorted { $0.text < $1.text }.map(\.prediction)
  }

  private static func examples(
    _ count: Int, of expert: Int, _ predictions: [TextClassifier.Prediction],
    _ source: LabelledTexts
  ) -> [Example] {
    let own = predictions.indices.filter { predictions[$0].expert == expert }.sorted {
      (-predictions[$0].gate[expert], $0) < (-predictions[$1].gate[expert], $1)
    }
    return own.prefix(count).map { place in
      let (text, it) = (source.texts[place], predictions[place])
      let words = text.second.map { "\(text.first) | \($0)" } ?? text.first
      let (actual, predicted): (String, String) =
        switch source.target {
        case .classes(let names): (names[text.label], names[it.label])
        case .score: ("\(text.score)", NumberText.decimals(it.score ?? 0, 2))
        }
      return Example(
        text: words, actual: actual, predicted: predicted, share: Double(it.gate[expert]))
    }
  }

  /// The median of up to 50 texts, one at a time, after a first one that does not count.
  private static func time(_ model: TextClassifier, _ set: ClassificationSet) throws -> Double {
    let clock = ContinuousClock()
    let times = try set.tokens.prefix(51).map { text in
      try clock.measure { _ = try model.predict([text]) } / .milliseconds(1)
    }
    let sorted = times.dropFirst().sorted()
    return sorted.isEmpty ? times.first ?? 0 : sorted[sorted.count / 2]
  }
}
