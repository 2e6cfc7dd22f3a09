/// Sequences of tokens that begin alike, joined where they do, so that each token is read once.
struct PrefixTree {
  /// Tokens that all sequences below have in common, after those of the parent.
  struct Node: Hashable {
    /// The node before this one; `nil` if it is the root that all sequences share.
    var parent: Int?
    /// A sequence that has the tokens.
    var sequence: Int
    /// The tokens' places in that sequence, and in every other below.
    var range: Range<Int>
    /// Nodes before this one, up to the root.
    var level: Int
  }

  /// Fewer tokens in common are not worth a pass of their own.
  static let worthSharing = 3

  /// The nodes; parents come before their children.
  private(set) var nodes: [Node] = []
  /// The node in which each sequence ends.
  private(set) var ends: [Int]

  /// Joins sequences.
  ///
  /// - Parameters:
  ///   - sequences: None empty.
  ///   - start: Tokens at the beginning that are the same in all and belong to no node, fewer than any sequence has.
  ///   - joins: Whether to join at all; without it, each sequence is a node.
  /// - Complexity: O(tokens · log sequences).
  init(_ sequences: [ArraySlice<Int>], from start: Int = 0, joining joins: Bool = true) {
    ends = Array(repeating: 0, count: sequences.count)
    guard joins else {
      nodes = sequences.indices.map {
        Node(parent: nil, sequence: $0, range: start..<sequences[$0].count, level: 0)
      }
      ends = Array(nodes.indices)
      return
    }
    let order = sequences.indices.sorted {
      sequences[$0].lexicographicallyPrecedes(sequences[$1])
    }
    place(order[...], sequences, from: start, parent: nil, level: 0)
  }

  /// The tokens that are read.
  var tokens: Int { nodes.reduce(0) { $0 + $1.range.count } }

  /// The nodes of a sequence, from its end to the root.
  func path(of sequence: Int) -> [Int] {
    Array(Swift.sequence(first: ends[sequence]) { nodes[$0].parent })
  }

  /// Places sorted sequences that are the same up to `start`, of which nodes hold what is before.
  private mutating func place(
    _ group: ArraySlice<Int>, _ sequences: [ArraySlice<Int>], from start: Int, parent: Int?,
    level: Int
  ) {
    guard let first = group.first, let last = group.last else { return }
    // Sorted, so the first and the last differ the most.
    let common = zip(sequences[first], sequences[last]).prefix { $0 == $1 }.count
    var (start, parent, level) = (start, parent, level)
    let isWhole = sequences[last].count == common
    if isWhole || common - start >= Self.worthSharing {
      let node = Node(parent: parent, sequence: first, range: start..<common, level: level)
      nodes.append(node)
      (start, parent, level) = (common, nodes.count - 1, level + 1)
    }
    // Sequences that end here come first.
    let ended = group.prefix { sequences[$0].count == common }
    if !ended.isEmpty, start < common {
      nodes.append(
        Node(parent: parent, sequence: first, range: start..<common, level: level))
      for sequence in ended { ends[sequence] = nodes.count - 1 }
    } else {
      for sequence in ended { ends[sequence] = parent ?? 0 }
    }
    var rest = group.dropFirst(ended.count)
    while let head = rest.first {
      let token = token(common, of: sequences[head])
      let same = rest.prefix { self.token(common, of: sequences[$0]) == token }
      place(same, sequences, from: start, parent: parent, level: level)
      rest = rest.dropFirst(same.count)
    }
  }

  private func token(_ place: Int, of sequence: ArraySlice<Int>) -> Int {
    sequence[sequence.startIndex + place]
  }
}
