import Testing

@testable import MoETracing

/// Passes of a server without the names of requests, by their tokens' positions.
@Suite("Sequences of requests")
struct RequestSequenceTests {
  /// A pass, with an id for each token: the hundreds are its request, the rest is its position.
  struct Pass: Sendable {
    var phase: RequestSequences.Phase
    var ids: [Int]
    var lengths: [Int]?

    static func extend(_ ids: Int..., lengths: [Int]) -> Pass {
      Pass(phase: .extend, ids: ids, lengths: lengths)
    }
    static func decode(_ ids: Int...) -> Pass { Pass(phase: .decode, ids: ids) }
    static func mixed(_ ids: Int..., lengths: [Int]) -> Pass {
      Pass(phase: .mixed, ids: ids, lengths: lengths)
    }
  }

  /// The ids of each sequence, and the lengths of their prompts.
  private func sequences(_ passes: [Pass]) -> (ids: [[Int]], prompts: [Int]) {
    var result = RequestSequences()
    for pass in passes {
      result.add(
        .init(positions: pass.ids.map { $0 % 100 }, lengths: pass.lengths, phase: pass.phase))
    }
    return (
      result.sequences.map { $0.tokens.map { passes[$0.pass].ids[$0.token] } },
      result.sequences.map(\.promptLength)
    )
  }

  @Test(
    "keep their order in a batch where positions are equal",
    arguments: [
      // A has ended before the last pass, where C stands behind B.
      (
        [
          .extend(100, 101, 102, 200, 201, lengths: [3, 2]), .decode(103, 202),
          .extend(302, 303, lengths: [2]), .decode(104, 203, 304), .decode(204, 305),
        ],
        [[100, 101, 102, 103, 104], [200, 201, 202, 203, 204], [302, 303, 304, 305]], [3, 2, 2]
      ),
      // All go on.
      (
        [
          .extend(100, 101, 200, 201, 300, lengths: [2, 2, 1]), .decode(102, 202, 301),
          .decode(103, 203, 302), .decode(104, 204, 303),
        ],
        [
          [100, 101, 102, 103, 104], [200, 201, 202, 203, 204], [300, 301, 302, 303],
        ], [2, 2, 1]
      ),
      // B has ended: of A and C, the first is A.
      (
        [
          .extend(100, 101, 200, 300, 301, lengths: [2, 1, 2]), .decode(102, 201, 302),
          .decode(103, 303),
        ],
        [[100, 101, 102, 103], [200, 201], [300, 301, 302, 303]], [2, 1, 2]
      ),
    ] as [([Pass], [[Int]], [Int])])
  func order(passes: [Pass], ids: [[Int]], prompts: [Int]) {
    let found = sequences(passes)
    #expect(found.ids == ids && found.prompts == prompts)
  }

  @Test(
    "are joined with the rest of a prompt, unless a later pass needs its beginning alone",
    arguments: [
      // The rest of A.
      (
        [
          .extend(100, 101, 102, lengths: [3]), .extend(103, 104, 105, lengths: [3]), .decode(106),
        ], [[100, 101, 102, 103, 104, 105, 106]], [6]
      ),
      // A second request, whose first three tokens a cache has.
      (
        [
          .extend(100, 101, 102, lengths: [3]), .extend(203, 204, 205, lengths: [3]),
          .decode(103, 206), .decode(104, 207),
        ], [[100, 101, 102, 103, 104], [203, 204, 205, 206, 207]], [3, 3]
      ),
      // The second ends at once.
      (
        [
          .extend(100, 101, lengths: [2]), .extend(202, 300, lengths: [1, 1]),
          .decode(102, 301), .decode(103, 302),
        ], [[100, 101, 102, 103], [202], [300, 301, 302]], [2, 1, 1]
      ),
      // Three parts, of which the last is another request's.
      (
        [
          .extend(100, 101, lengths: [2]), .extend(102, 103, lengths: [2]),
          .extend(204, 300, lengths: [1, 1]), .decode(104, 205, 301), .decode(105, 206, 302),
        ], [[100, 101, 102, 103, 104, 105], [204, 205, 206], [300, 301, 302]], [4, 1, 1]
      ),
      // Another request waits at the same position, which is one too few.
      (
        [
          .extend(300, 301, 302, lengths: [3]), .extend(100, 101, 102, lengths: [3]),
          .extend(203, 204, lengths: [2]), .decode(303, 103, 205),
        ], [[300, 301, 302, 303], [100, 101, 102, 103], [203, 204, 205]], [3, 3, 2]
      ),
      // A did not take part in a pass that generated: its prompt was unfinished.
      (
        [
          .extend(300, lengths: [1]), .extend(100, 101, lengths: [2]), .decode(301),
          .extend(102, 103, lengths: [2]), .decode(302, 104),
        ], [[300, 301, 302], [100, 101, 102, 103, 104]], [1, 4]
      ),
    ] as [([Pass], [[Int]], [Int])])
  func joins(passes: [Pass], ids: [[Int]], prompts: [Int]) {
    let found = sequences(passes)
    #expect(found.ids == ids && found.prompts == prompts)
  }
}
