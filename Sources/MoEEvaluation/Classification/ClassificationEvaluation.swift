public import MoECore
public import MoEData
public import MoEModels

/// How well a model does on texts whose classes or scores are known, and which expert answers what.
public struct ClassificationEvaluation {
  /// One answer per text.
  public let predictions: [TextClassifier.Prediction]
  /// Who answered, by class, or by kind for scores of known kinds.
  public let usage: GroupedRouting
  /// The same by kind of text, where kinds are told apart.
  public let usageByKind: GroupedRouting?
  private let set: ClassificationSet
  private let configuration: ClassifierConfiguration

  /// Compares answers with what is right.
  ///
  /// - Precondition: There is one answer per text.
  public init(
    _ configuration: ClassifierConfiguration, _ set: ClassificationSet,
    _ predictions: [TextClassifier.Prediction]
  ) {
    precondition(predictions.count == set.count, "\(predictions.count) of \(set.count) answers")
    (self.configuration, self.set, self.predictions) = (configuration, set, predictions)
    let groups =
      switch configuration.target {
      case .classes(let names): names
      case .score: ["all"]
      }
    func usage(_ group: [Int], _ groups: [String]) -> GroupedRouting {
      GroupedRouting(
        chosen: predictions.map(\.expert), gate: predictions.flatMap(\.gate), group: group,
        groups: groups, experts: configuration.mixture.experts.count)
    }
    self.usage = usage(set.labels, groups)
    usageByKind = set.kinds.map { usage($0, set.kindNames) }
  }

  /// The quality of classes, for a model that predicts classes.
  public var classes: ClassificationMetrics? {
    guard case .classes(let names) = configuration.target else { return nil }
    return ClassificationMetrics(
      predicted: predictions.map(\.label), actual: set.labels, classes: names.count)
  }

  /// The quality of scores by their place in the range, for a model that predicts scores.
  public var scores: RegressionMetrics? {
    guard case .score(let range) = configuration.target else { return nil }
    let width = range.upperBound - range.lowerBound
    return RegressionMetrics(
      predicted: predictions.map { (($0.score ?? 0) - range.lowerBound) / width },
      actual: set.scores.map { Double($0) })
  }

  /// Share of right classes among the texts that each expert answered; `nil` for none.
  public var accuracyByExpert: [Double?] {
    configuration.mixture.experts.indices.map { expert in
      accuracy(of: predictions.indices.filter { predictions[$0].expert == expert })
    }
  }

  private func accuracy(of texts: [Int]) -> Double? {
    ClassificationMetrics.ratio(
      texts.count { predictions[$0].label == set.labels[$0] }, texts.count)
  }

  /// All numbers by name; NaN for what is undefined, such as the correlation of equal scores.
  public var values: [NamedValue] {
    var result: [NamedValue] = []
    if let classes {
      result += [
        .init("accuracy", classes.accuracy ?? .nan), .init("macro_f1", classes.macroF1 ?? .nan),
      ]
    }
    if let scores {
      result += [
        .init("pearson", scores.pearson ?? .nan), .init("spearman", scores.spearman ?? .nan),
        .init("mean_squared_error", scores.meanSquaredError ?? .nan),
      ]
    }
    for (kind, name) in set.kindNames.enumerated() where classes != nil {
      let own = predictions.indices.filter { set.kinds?[$0] == kind }
      result.append(.init("accuracy_\(name)", accuracy(of: own) ?? .nan))
    }
    for (expert, share) in usage.usage.enumerated() {
      result.append(.init("usage_\(expert)", share))
    }
    result.append(.init("gate_entropy", usage.entropy))
    if classes != nil { result.append(.init("class_information", usage.mutualInformation)) }
    if let usageByKind {
      result.append(.init("kind_information", usageByKind.mutualInformation))
    }
    return result
  }

  /// `predictions.csv`, a row per text with its line in its file, and `routing.csv`, a row per class
  /// or kind that has texts.
  package var files: [ModelFile] {
    let isPair = configuration.readsPairs
    var rows = "line,actual,predicted,expert,gate,text\(isPair ? ",pair" : "")\n"
    for (text, it) in predictions.enumerated() {
      let source = set.texts[text]
      let gate = it.gate.map { NumberText.fixed(Double($0), 4) }.joined(separator: " ")
      let (actual, predicted) =
        if let score = it.score {
          (NumberText.fixed(actualScore(text), 4), NumberText.fixed(score, 4))
        } else { ("\(set.labels[text])", "\(it.label)") }
      let words = [source.first] + (isPair ? [source.second ?? ""] : [])
      let columns = ["\(source.line)", actual, predicted, "\(it.expert)", gate]
      rows += (columns + words.map(SeparatedValues.quoted)).joined(separator: ",") + "\n"
    }
    var table = "group," + usage.usage.indices.map { "expert_\($0)" }.joined(separator: ",") + "\n"
    for it in [usage, usageByKind].compactMap({ $0 }) {
      for (group, name) in it.groups.enumerated() {
        guard let usage = it.usage(ofGroup: group) else { continue }
        let shares = usage.map { NumberText.fixed($0, 4) }
        table += "\(SeparatedValues.quoted(name))," + shares.joined(separator: ",") + "\n"
      }
    }
    return [
      ModelFile("predictions.csv", Array(rows.utf8)), ModelFile("routing.csv", Array(table.utf8)),
    ]
  }

  private func actualScore(_ text: Int) -> Double {
    guard case .score(let range) = configuration.target else { return 0 }
    return range.lowerBound + Double(set.scores[text]) * (range.upperBound - range.lowerBound)
  }
}
