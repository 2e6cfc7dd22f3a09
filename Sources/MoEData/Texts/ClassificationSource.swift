package import MoECore
import MoEModels
package import SystemPackage

/// The section `data` of a configuration for classes or scores.
package struct ClassificationSource: Sendable {
  /// The source of the texts.
  package enum Origin: Sendable {
    case files(TextDataFormat, train: [FilePath], test: [FilePath])
    case synthetic
  }

  package let origin: Origin
  /// Number of texts to train on; `nil` for all.
  package let trainSamples: Int?
  /// Number of texts to test on; `nil` for all.
  package let testSamples: Int?
  /// Fraction of the training texts to test on instead.
  package let testShare: Double
  /// Fraction of the training texts that is held out for choosing settings.
  package let validationShare: Double
  /// Whether evaluations use those texts instead of the test set.
  package let evaluatesOnValidation: Bool
  /// Determines which texts are selected.
  package let sampleSeed: UInt64
  /// Whether HotpotQA questions are read with the sentences that answer them.
  package let supportingFacts: Bool
  /// Maximum number of tokens of a text; `nil` for 128, or the encoder's limit if lower.
  package let maximumLength: Int?

  /// Whether texts are generated.
  package var isSynthetic: Bool { if case .synthetic = origin { true } else { false } }

  package init(_ json: ConfigurationObject) throws {
    let object = try json.section(
      "data",
      [
        "format", "train", "test", "test_share", "validation_share", "train_samples",
        "test_samples",
        "sample_seed", "supporting_facts", "max_length",
      ])
    let range = 1...(1 << 30)
    trainSamples = try object.optionalInt("train_samples", in: range)
    testSamples = try object.optionalInt("test_samples", in: range)
    testShare = try object.fraction("test_share") ?? 0
    validationShare = try object.fraction("validation_share") ?? 0
    let evaluation = try json.section("evaluation", ["every", "on"])
    evaluatesOnValidation = try Self.evaluatesOnValidation(evaluation, share: validationShare)
    sampleSeed = UInt64(try object.optionalInt("sample_seed", in: 0...(1 << 53)) ?? 0)
    supportingFacts = try object.optionalBool("supporting_facts") ?? false
    maximumLength = try object.optionalInt("max_length", in: 8...(1 << 20))
    let (train, test) = (try object.paths("train"), try object.paths("test"))
    let name = try object.optionalString("format") ?? ""
    let names = TextDataFormat.allCases.map(\.rawValue) + ["synthetic"]
    guard let known = names.first(where: { $0 == name }) else {
      throw object.invalid("format", "one of \(names.joined(separator: ", "))")
    }
    guard let format = TextDataFormat(rawValue: known) else {
      guard !supportingFacts else {
        throw object.invalid("supporting_facts", "false, as only hotpotqa has them")
      }
      guard train.isEmpty, test.isEmpty, testShare == 0, validationShare == 0 else {
        throw object.invalid("train", "absent, because synthetic texts do not come from files")
      }
      origin = .synthetic
      return
    }
    guard !train.isEmpty else {
      throw ConfigurationError.missingKey(path: json.path, key: "data.train")
    }
    guard test.isEmpty || testShare == 0 else {
      throw object.invalid("test_share", "absent where data.test names a file")
    }
    guard !supportingFacts || format == .hotpotQA else {
      throw object.invalid("supporting_facts", "false, as only hotpotqa has them")
    }
    origin = .files(format, train: train, test: test)
  }

  private static func evaluatesOnValidation(
    _ evaluation: ConfigurationObject, share: Double
  ) throws -> Bool {
    switch try evaluation.optionalString("on") ?? "test" {
    case "test": return false
    case "validation" where share > 0: return true
    case "validation":
      throw evaluation.invalid("on", "'test', or data.validation_share above 0")
    default: throw evaluation.invalid("on", "'test' or 'validation'")
    }
  }

  package var resolved: JSONObject {
    ["sample_seed": .number(Double(sampleSeed)), "supporting_facts": .bool(supportingFacts)]
  }

  /// Opens every file.
  package func checkFiles() throws {
    guard case .files(_, let train, let test) = origin else { return }
    for path in train + test { _ = try MappedFile(path) }
  }

  /// Reads, splits and samples the texts.
  ///
  /// - Throws: ``DataError`` that names file and line.
  package func read() throws -> (train: LabelledTexts, test: LabelledTexts?) {
    guard case .files(let format, let train, let test) = origin else {
      // Separate seeds, so that test texts are not among the training texts by design.
      return (
        SyntheticTexts.make(trainSamples ?? 2_000, seed: 2 &* sampleSeed),
        SyntheticTexts.make(testSamples ?? 1_000, seed: 2 &* sampleSeed &+ 1)
      )
    }
    var learned = try format.read(train, supportingFacts: supportingFacts, classes: nil)
    try learned.checkVariety()
    var tested =
      test.isEmpty
      ? nil
      : try format.read(
        test, supportingFacts: supportingFacts, classes: learned.target.classNames)
    if testShare > 0 { (tested, learned) = try divided(learned, testShare) }
    if validationShare > 0 {
      let (validation, rest) = try divided(learned, validationShare)
      learned = rest
      if evaluatesOnValidation { tested = validation }
    }
    if let trainSamples { learned = try learned.sample(trainSamples, seed: sampleSeed).chosen }
    guard learned.hasVariety else { throw tooFewLeft }
    if let testSamples { tested = try tested?.sample(testSamples, seed: sampleSeed).chosen }
    return (learned, tested)
  }

  /// An error about the setting that leaves only texts of one class to train on.
  private var tooFewLeft: SettingError {
    let rest = "so that texts of at least two classes are left to train on"
    if let trainSamples {
      return SettingError(
        key: "data.train_samples", value: "\(trainSamples)", expected: "more, \(rest)")
    }
    let (key, share) =
      testShare > 0 ? ("test_share", testShare) : ("validation_share", validationShare)
    return SettingError(key: "data.\(key)", value: "\(share)", expected: "smaller, \(rest)")
  }

  private func divided(
    _ texts: LabelledTexts, _ share: Double
  ) throws -> (LabelledTexts, rest: LabelledTexts) {
    let held = Int(Double(texts.texts.count) * share)
    guard held > 0 else {
      throw DataError.tooFewTexts(
        texts.path, found: texts.texts.count, needed: Int((1 / share).rounded(.up)))
    }
    return try texts.sample(held, seed: sampleSeed)
  }
}
