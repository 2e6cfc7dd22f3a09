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

  /// Share of right classes among the texts that each expert answered; 0 for none.
  public var accuracyByExpert: [Double] {
    configuration.mixture.experts.indices.map { expert in
      let own = predictions.indices.filter { predictions[$0].expert == expert }
      let right = own.count { predictions[$0].label == set.labels[$0] }
      return Double(right) / Double(max(1, own.count))
    }
  }

  /// All numbers by name.
  public var values: [NamedValue] {
    var result: [NamedValue] = []
    if let classes {
      result += [.init("accuracy", classes.accuracy), .init("macro_f1", classes.macroF1)]
    }
    if let scores {
      result += [
        .init("pearson", scores.pearson), .init("spearman", scores.spearman),
        .init("mean_squared_error", scores.meanSquaredError),
      ]
    }
    for (kind, name) in set.kindNames.enumerated() where classes != nil {
      result.append(.init("accuracy_\(name)", accuracy(ofKind: kind)))
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

  private func accuracy(ofKind kind: Int) -> Double {
    let own = predictions.indices.filter { set.kinds?[$0] == kind }
    let right = own.count { predictions[$0].label == set.labels[$0] }
    return Double(right) / Double(max(1, own.count))
  }

  /// `predictions.csv`, a row per text, and `routing.csv`, a row per class or kind.
  package var files: [ModelFile] {
    var rows = "text,actual,predicted,expert,gate\n"
    for (text, it) in predictions.enumerated() {
      let gate = it.gate.map { NumberText.fixed(Double($0), 4) }.joined(separator: " ")
      let (actual, predicted) =
        if let score = it.score {
          (NumberText.fixed(actualScore(text), 4), NumberText.fixed(score, 4))
        } else { ("\(set.labels[text])", "\(it.label)") }
      rows += "\(text),\(actual),\(predicted),\(it.expert),\(gate)\n"
    }
    var table = "group," + usage.usage.indices.map { "expert_\($0)" }.joined(separator: ",") + "\n"
    for it in [usage, usageByKind].compactMap({ $0 }) {
      for (group, name) in it.groups.enumerated() {
        let shares = it.usage(ofGroup: group).map { NumberText.fixed($0, 4) }
        table += "\(name)," + shares.joined(separator: ",") + "\n"
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
