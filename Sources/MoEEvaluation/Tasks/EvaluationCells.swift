import MoECore

// The cells of tables about models that were asked, which pages and the terminal share.

extension EvaluationReport {
  /// The titles of the columns of ``rows``.
  public var header: [String] {
    ["task", "shots", "questions", "metric"] + models.map(\.name)
  }

  /// A row for each task and metric, for groups of parts, for texts, and for the mean.
  public var rows: [[String]] {
    guard let first = models.first else { return [] }
    var rows: [[String]] = []
    for (place, result) in first.results.enumerated() {
      let all = models.map { $0.results[place] }
      for (metric, score) in result.scores.enumerated() {
        rows.append(
          [result.name, "\(result.shots)", "\(result.questions)", score.metric.rawValue]
            + all.map { $0.scores[metric].text })
      }
      for (place, group) in result.groups.enumerated() {
        rows.append(
          [
            "  \(group.name)", "\(result.shots)", "\(group.questions)",
            group.scores[0].metric.rawValue,
          ]
            + all.map { $0.groups[place].scores[0].text })
      }
    }
    for (place, score) in first.texts.enumerated() {
      rows.append(
        [score.text, "", "", "perplexity, \(score.perplexity.protocol.rawValue)"]
          + models.map { NumberText.fixed($0.texts[place].perplexity.perplexity, 4) })
    }
    if first.results.count > 1, first.mean != nil {
      rows.append(
        ["mean", "", "", "primary metrics"]
          + models.map { $0.mean.map { NumberText.percent($0) } ?? "" })
    }
    return rows
  }

  /// What stands before each text, by model.
  public var leadingTokens: [String] {
    models.map { model in
      let tokens = model.leadingTokens.map { "'\($0)'" }.joined(separator: " ")
      return tokens.isEmpty
        ? "\(model.name): no BOS token"
        : "\(model.name): \(tokens) once before each text"
    }
  }

  /// What readers of the numbers must know.
  public var notes: [String] {
    guard let first = models.first else { return [] }
    var notes = first.results.compactMap { result in result.note.map { "\(result.name): \($0)" } }
    for model in models {
      for result in model.results where result.cutQuestions > 0 {
        notes.append(
          "\(model.name): \(NumberText.counted(result.cutQuestions, "question")) of \(result.name) truncated on the left to its context"
        )
      }
    }
    if let limit {
      notes.append(
        drawsQuestions
          ? "\(limit) questions of each part, drawn with the seed \(seed)"
          : "the first \(NumberText.counted(limit, "question")) of each part, which may be of one kind"
      )
    }
    return notes
  }
}

extension TaskScore {
  /// The value with its standard error.
  public var text: String {
    metric == .perplexity
      ? NumberText.fixed(value, 3) + (standardError.map { " ± \(NumberText.fixed($0, 3))" } ?? "")
      : NumberText.percent(value)
        + (standardError.map { " ± \(NumberText.fixed($0 * 100, 1))" } ?? "")
  }
}

extension PairedDifference {
  /// The titles of the columns of ``cells``.
  public static let header = ["model", "versus", "task", "difference", "95 %", "p-value"]

  /// The difference in percentage points, as a row.
  public var cells: [String] {
    func points(_ value: Double) -> String {
      (value > 0 ? "+" : "") + NumberText.fixed(value * 100, 1)
    }
    return [
      model, reference, task ?? "mean", points(difference), "\(points(lower)) … \(points(upper))",
      Self.text(pValue),
    ]
  }

  private static func text(_ pValue: Double) -> String {
    pValue < 0.001 ? "< 0.001" : NumberText.fixed(pValue, 3)
  }
}
