import MoECore
import MoEModels
import MoERouting
import MoETensor

/// The log-likelihood of what a request asks for.
struct RequestScore: Hashable, Sendable {
  /// The sum over its tokens, in f32, in nats.
  var logLikelihood: Float
  /// Whether each of its tokens is the most likely one.
  var isGreedy: Bool
}

/// Scores requests: what they have in common is read once, and many are read in one pass.
///
/// A score has the bits that it has alone (`Documentation/decisions/0014-company.md`). Models whose answers depend on the
/// company read every request by itself, and types other than f32 and bf16, too.
final class RequestScorer {
  private let model: MoEDecoder
  /// Whether requests may be read together: their answers do not depend on the company.
  var readsTogether: Bool { model.readsTogether }
  /// The most rows of a pass.
  private let rowLimit: Int
  /// The most bytes of keys and values of a pass.
  let cacheLimit: Int
  /// What all requests begin with, and its keys and values.
  private var base: (tokens: ArraySlice<Int>, cache: KeyValueCache)?

  /// Bytes of keys and values that the texts of a pass may have.
  static let usualCacheLimit = 1 << 29

  /// Prepares to score with a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - rows: The most rows of a pass, at least 1.
  ///   - cacheLimit: The most bytes of keys and values of a pass, unless a single text has more.
  init(_ model: MoEDecoder, rows: Int = MoEDecoder.usualRows, cacheLimit: Int = usualCacheLimit) {
    (self.model, self.cacheLimit) = (model, cacheLimit)
    rowLimit = model.rowLimit(rows)
  }

  /// Bytes of keys and values of a position.
  var cacheBytes: Int {
    let shape = model.configuration
    return shape.layers.count * 2 * shape.keyHeads * shape.headSize * model.dtype.byteSize
  }

  /// Reads what all requests that follow begin with, if that is worth it; what was read before is forgotten.
  ///
  /// - Parameter tokens: The first tokens of every request, up to before the position that predicts its first scored one.
  func begin(with tokens: ArraySlice<Int>) {
    base = nil
    guard readsTogether, tokens.count >= PrefixTree.worthSharing else { return }
    let cache = model.makeCache()
    var rest = tokens
    while !rest.isEmpty {
      let part = rest.prefix(rowLimit)
      rest = rest.dropFirst(part.count)
      _ = model.read(
        [SequencePart(tokens: Array(part), cache: cache)], as: .prompt, scoring: .some([]))
    }
    base = (tokens, cache)
  }

  private func tree(of requests: [EncodedRequest]) -> PrefixTree {
    PrefixTree(
      requests.map(\.inputs), from: base?.tokens.count ?? 0, joining: readsTogether)
  }

  /// Tokens that are read for requests that are scored together, without what they begin with.
  func work(of requests: [EncodedRequest]) -> Int { tree(of: requests).tokens }

  /// Scores requests, all of which begin with the tokens of ``begin(with:)``.
  ///
  /// - Parameter requests: At least one.
  /// - Returns: A score for each.
  /// - Throws: `NonFiniteScores`.
  func scores(of requests: [EncodedRequest]) throws -> [RequestScore] {
    let tree = tree(of: requests)
    var found = FoundTokens(requests, tree)
    var parents: [Int: KeyValueCache] = [:]
    let levels = 1 + (tree.nodes.map(\.level).max() ?? 0)
    for level in 0..<levels {
      let nodes = tree.nodes.indices.filter { tree.nodes[$0].level == level }
      // Only what has children is needed again.
      let needed = Set(tree.nodes.compactMap { $0.level == level + 1 ? $0.parent : nil })
      parents = try read(nodes, needed, parents, tree, requests, into: &found)
    }
    return found.scores()
  }

  /// What is left to read of a node.
  private struct Reading {
    var node: Int
    var next: Int
    var cache: KeyValueCache
  }

  private func fork(_ node: PrefixTree.Node, _ parents: [Int: KeyValueCache]) -> KeyValueCache {
    guard let before = node.parent.flatMap({ parents[$0] }) ?? base?.cache else {
      return model.makeCache()
    }
    return KeyValueCache(
      copying: before, first: node.range.lowerBound, room: node.range.count)
  }

  /// Reads nodes that do not depend on each other, in as few passes as the limits allow.
  ///
  /// - Returns: The caches of the nodes that are needed again.
  private func read(
    _ nodes: [Int], _ needed: Set<Int>, _ parents: [Int: KeyValueCache], _ tree: PrefixTree,
    _ requests: [EncodedRequest], into found: inout FoundTokens
  ) throws -> [Int: KeyValueCache] {
    var (waiting, unfinished, kept) = (nodes[...], Reading?.none, [Int: KeyValueCache]())
    while !waiting.isEmpty || unfinished != nil {
      var pass: [(reading: Reading, range: Range<Int>)] = []
      var (room, bytes) = (rowLimit, 0)
      while room > 0, bytes < cacheLimit {
        let begun = unfinished
        unfinished = nil
        guard
          let reading = begun
            ?? waiting.popFirst().map({ node in
              Reading(
                node: node, next: tree.nodes[node].range.lowerBound,
                cache: fork(tree.nodes[node], parents))
            })
        else { break }
        let end = tree.nodes[reading.node].range.upperBound
        // What depends on the company is read whole and alone.
        let stop = readsTogether ? min(end, reading.next + room) : end
        pass.append((reading, reading.next..<stop))
        room -= stop - reading.next
        bytes += end * cacheBytes
        if stop < end {
          unfinished = Reading(node: reading.node, next: stop, cache: reading.cache)
        } else if needed.contains(reading.node) {
          kept[reading.node] = reading.cache
        }
        if !readsTogether { break }
      }
      try run(pass, tree, requests, into: &found)
    }
    return kept
  }

  private func run(
    _ pass: [(reading: Reading, range: Range<Int>)], _ tree: PrefixTree,
    _ requests: [EncodedRequest], into found: inout FoundTokens
  ) throws {
    var (parts, rows, questions) = ([SequencePart](), [Int](), [[FoundTokens.Target]]())
    var start = 0
    for (reading, range) in pass {
      let tokens = requests[tree.nodes[reading.node].sequence].tokens
      parts.append(SequencePart(tokens: Array(tokens[range]), cache: reading.cache))
      for position in range {
        let targets = found.targets(of: reading.node, after: position)
        guard !targets.isEmpty else { continue }
        rows.append(start + position - range.lowerBound)
        questions.append(targets)
      }
      start += range.count
    }
    let logits = model.read(parts, as: .prompt, scoring: .some(rows)).logits
    guard !rows.isEmpty else { return }
    guard logits.isAllFinite else {
      throw nonFinite(logits, rows, pass, tree, requests)
    }
    withoutGradients { found.note(questions, logits) }
  }

  /// Finds the text whose scores are not finite, and computes it once more to say where that begins.
  private func nonFinite(
    _ logits: Tensor, _ rows: [Int], _ pass: [(reading: Reading, range: Range<Int>)],
    _ tree: PrefixTree, _ requests: [EncodedRequest]
  ) -> NonFiniteScores {
    let bad = rows[rows.indices.first { !logits[$0].isAllFinite } ?? 0]
    var start = 0
    for (reading, range) in pass {
      guard bad >= start + range.count else {
        let tokens = requests[tree.nodes[reading.node].sequence].tokens
        return model.nonFinite(in: Array(tokens[..<(range.lowerBound + bad - start + 1)]))
      }
      start += range.count
    }
    return model.nonFinite(in: Array(requests[0].inputs))
  }
}

/// The log-probabilities of the tokens that requests ask for, as they become known.
private struct FoundTokens {
  /// A token that a request asks for after some position.
  struct Target {
    var request: Int
    /// Its place among those that the request asks for.
    var place: Int
    var token: Int
  }

  private var values: [[Float]]
  private var greedy: [Bool]
  private var wanted: [[Int: [Target]]]

  /// Finds out after which positions of which nodes tokens are asked for.
  init(_ requests: [EncodedRequest], _ tree: PrefixTree) {
    values = requests.map { Array(repeating: 0, count: $0.tokens.count - $0.start) }
    greedy = Array(repeating: true, count: requests.count)
    wanted = Array(repeating: [:], count: tree.nodes.count)
    for (number, request) in requests.enumerated() {
      for node in tree.path(of: number) {
        let range = tree.nodes[node].range
        for position in max(
          range.lowerBound, request.start - 1)..<max(range.upperBound, request.start - 1)
        {
          wanted[node][position, default: []].append(
            Target(
              request: number, place: position + 1 - request.start,
              token: request.tokens[position + 1]))
        }
      }
    }
  }

  func targets(of node: Int, after position: Int) -> [Target] { wanted[node][position] ?? [] }

  /// Rows whose log-probabilities are computed at a time.
  private static let block = 128

  /// Notes what some rows of scores say about the tokens that are asked for after them.
  mutating func note(_ questions: [[Target]], _ logits: Tensor) {
    let vocabulary = logits.size(1)
    for start in stride(from: 0, to: questions.count, by: Self.block) {
      let rows = start..<min(start + Self.block, questions.count)
      let logProbabilities = logits[rows].cast(to: .f32).logSoftmax(axis: 1)  // [rows, vocabulary]
      let best = logProbabilities.argmax(axis: 1).array(of: Int.self)
      var (places, targets) = ([Int](), [Target]())
      for (row, asked) in questions[rows].enumerated() {
        for target in asked {
          places.append(row * vocabulary + target.token)
          targets.append(target)
          if best[row] != target.token { greedy[target.request] = false }
        }
      }
      let found = logProbabilities.reshaped([rows.count * vocabulary]).selecting(Tensor(places))
      for (target, value) in zip(targets, found.array(of: Float.self)) {
        values[target.request][target.place] = value
      }
    }
  }

  func scores() -> [RequestScore] {
    zip(values, greedy).map {
      RequestScore(logLikelihood: $0.reduce(0, +), isGreedy: $1)
    }
  }
}
