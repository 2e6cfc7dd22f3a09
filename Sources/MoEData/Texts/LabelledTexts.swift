import MoECore
public import MoEModels
public import SystemPackage

/// A text, or a pair of texts, and its target.
public struct LabelledText: Hashable, Sendable {
  /// The text.
  public var first: String
  /// The second text of a pair.
  public var second: String?
  /// The class, from 0; 0 for a score.
  public var label = 0
  /// The score; 0 for a class.
  public var score = 0.0
  /// The kind of text, if the source distinguishes kinds besides classes.
  public var kind: Int?
  /// The line, from 1; for lists without lines, the number of the record.
  public var line: Int
  /// The index of its file in ``LabelledTexts/paths``.
  public var file = 0

  /// Creates a text.
  public init(_ first: String, second: String? = nil, label: Int = 0, score: Double = 0, line: Int)
  {
    (self.first, self.second, self.label, self.score) = (first, second, label, score)
    self.line = line
  }
}

/// Texts of one source, all with classes or all with scores.
public struct LabelledTexts: Sendable {
  /// Their files, for messages; at least one.
  public var paths: [FilePath]
  /// The texts.
  public var texts: [LabelledText]
  /// The target.
  public var target: ClassifierConfiguration.Target
  /// Names of the kinds; empty if there are none.
  public var kinds: [String] = []

  /// Creates a set of texts.
  package init(path: FilePath, texts: [LabelledText], target: ClassifierConfiguration.Target) {
    (self.paths, self.texts, self.target) = ([path], texts, target)
  }

  /// Texts of several files as one source.
  ///
  /// - Precondition: There is at least one, and all have the same target.
  package init(joining parts: [LabelledTexts]) {
    self = parts[0]
    for part in parts.dropFirst() {
      let texts = part.texts.map { text in
        var text = text
        text.file += paths.count
        return text
      }
      (self.texts, paths) = (self.texts + texts, paths + part.paths)
    }
  }

  /// The first file.
  package var path: FilePath { paths[0] }

  /// Number of classes; 1 for scores.
  package var classCount: Int { target.outputs }

  /// The same texts; an error if there are none.
  package func filled() throws(DataError) -> LabelledTexts {
    guard !texts.isEmpty else { throw .empty(path) }
    return self
  }

  /// Rejects texts that cannot be learned from: of only one class, or none at all.
  package func checkVariety() throws(DataError) {
    let first = try filled().texts[0]
    guard case .classes(let names) = target, !hasVariety else { return }
    throw .singleClass(path, name: names[first.label])
  }

  /// Whether there are texts of two classes, or scores.
  package var hasVariety: Bool {
    guard case .classes = target, let first = texts.first else { return !texts.isEmpty }
    return texts.contains { $0.label != first.label }
  }

  /// A stratified sample of the texts, in their order.
  ///
  /// Each class contributes its proportion, rounded down; the classes that lost most by rounding
  /// contribute one more. Scores count as one class.
  ///
  /// - Parameters:
  ///   - count: Number of texts to choose.
  ///   - seed: Determines which.
  /// - Returns: The chosen texts, and those that were not.
  /// - Throws: ``DataError/tooFewTexts(_:found:needed:)``.
  public func sample(
    _ count: Int, seed: UInt64
  ) throws(DataError) -> (chosen: LabelledTexts, rest: LabelledTexts) {
    guard count <= texts.count else {
      throw .tooFewTexts(path, found: texts.count, needed: count)
    }
    var members = [[Int]](repeating: [], count: classCount)
    for (place, text) in texts.enumerated() { members[text.label].append(place) }
    let exact = members.map { Double($0.count) * Double(count) / Double(max(1, texts.count)) }
    var counts = exact.map { Int($0) }
    let byLoss = counts.indices.sorted {
      (Double(counts[$0]) - exact[$0], $0) < (Double(counts[$1]) - exact[$1], $1)
    }
    for label in byLoss.prefix(count - counts.reduce(0, +)) { counts[label] += 1 }
    var isChosen = [Bool](repeating: false, count: texts.count)
    for (label, places) in members.enumerated() where counts[label] > 0 {
      let order = ShuffledOrder.order(
        count: places.count, seed: seed &+ UInt64(label) &* 0x9E37_79B9_7F4A_7C15, epoch: 0)
      for place in order.prefix(counts[label]) { isChosen[places[Int(place)]] = true }
    }
    var (chosen, rest) = (self, self)
    chosen.texts = texts.indices.filter { isChosen[$0] }.map { texts[$0] }
    rest.texts = texts.indices.filter { !isChosen[$0] }.map { texts[$0] }
    return (chosen, rest)
  }
}
