import Foundation
import MoECore
import MoETestSupport
import MoETracing
import Testing

@Suite("Statistics of routing")
struct StatisticsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("of loads are those computed by hand")
  func loads() {
    let even = LoadStatistics(ExpertLoad(tokens: [5, 5, 5, 5]))
    #expect(even.imbalance == 1 && even.gini == 0 && even.coefficientOfVariation == 0)
    #expect(Tolerance.statistics.allows(even.entropy, for: 1) && even.deadExperts == [])
    let one = LoadStatistics(ExpertLoad(tokens: [0, 8, 0, 0]))
    #expect(one.imbalance == 4 && one.gini == 0.75 && one.entropy == 0)
    #expect(one.deadExperts == [0, 2, 3] && one.busiest == 1)
    let half = LoadStatistics(ExpertLoad(tokens: [4, 4, 0, 0]))
    #expect(Tolerance.statistics.allows(half.entropy, for: 0.5))
    #expect(half.gini == 0.5 && half.coefficientOfVariation == 1)
  }

  @Test("Gini's coefficient equals the double sum", arguments: 0..<5 as Range<UInt64>)
  func gini(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let counts = (0..<13).map { _ in Int.random(in: 0...50, using: &generator) }
    let mean = Double(counts.reduce(0, +)) / 13
    let slow = counts.reduce(0.0) { sum, a in sum + counts.reduce(0.0) { $0 + abs(Double(a - $1)) }
    }
    let found = LoadStatistics(ExpertLoad(tokens: counts)).gini
    #expect(Tolerance.statistics.allows(found, for: slow / (2 * 169 * mean)))
  }

  @Test("mutual information is that of the definition")
  func mutualInformation() {
    #expect(Information.mutual([4, 0, 0, 4], columns: 2) == 1)
    #expect(Information.mutual([2, 2, 2, 2], columns: 2) == 0)
    #expect(Information.mutual([0, 0, 0, 0], columns: 2) == 0)
    let table = [3, 1, 4, 1, 5, 9]
    let total = 23.0
    var slow = 0.0
    for i in 0..<2 {
      for p in 0..<3 {
        let joint = Double(table[i * 3 + p]) / total
        let row = Double(table[i * 3..<i * 3 + 3].reduce(0, +)) / total
        let column = Double(table[p] + table[3 + p]) / total
        slow += joint * log2(joint / (row * column))
      }
    }
    #expect(Tolerance.statistics.allows(Information.mutual(table, columns: 3), for: slow))
  }

  @Test("divergence is 0 for equal distributions and 1 for disjoint ones")
  func divergence() {
    #expect(abs(Information.divergence([1, 2, 3], [2, 4, 6])) < 1e-12)
    #expect(Information.divergence([1, 0], [0, 5]) == 1)
  }

  @Test("affinity is conditional, and uniform if nothing is known")
  func affinity() {
    #expect(TransitionStatistics.affinity([1, 3, 0, 0], experts: 2) == [0.25, 0.75, 0.5, 0.5])
  }

  @Test("independent layers lie within their null, dependent ones far above it")
  func permutationNull() {
    var generator = SeededGenerator(seed: 2)
    var (independent, dependent) = ([Int](repeating: 0, count: 64), [Int](repeating: 0, count: 64))
    for _ in 0..<4000 {
      // Popular experts, chosen without regard to one another.
      let (i, p) = (
        min(7, Int.random(in: 0...12, using: &generator)),
        min(7, Int.random(in: 0...20, using: &generator))
      )
      independent[i * 8 + p] += 1
      dependent[i * 8 + (Bool.random(using: &generator) ? i : p)] += 1
    }
    let chance = TransitionStatistics(independent, experts: 8)
    #expect(abs(chance.score) < 4 && chance.excessShare < 0.01 && chance.nullMean > 0)
    let real = TransitionStatistics(dependent, experts: 8)
    #expect(real.score > 50 && real.excessShare > 0.2)
    #expect(TransitionStatistics(dependent, experts: 8) == real, "the same seed, the same null")
  }

  @Test("the null drawn agrees with its limit for many tokens")
  func nullLimit() {
    // 90,000 tokens are drawn, 180,000 taken from the limit: the mean halves.
    let table = [Int](repeating: 10_000, count: 9)
    let drawn = TransitionStatistics(table, experts: 3, permutations: 200)
    let limit = TransitionStatistics(table.map { $0 * 2 }, experts: 3)
    #expect(abs(drawn.nullMean / limit.nullMean / 2 - 1) < 0.3)
    #expect(abs(limit.nullMean - 4 / (2 * 180_000 * log(2))) < 1e-12)
  }

  @Test("pairs are ranked by their tokens, with their lift")
  func coactivation() {
    let table = [0, 3, 1, 3, 0, 0, 1, 0, 0]
    let top = Coactivation.top(table, load: [4, 3, 1], tokenCount: 4)
    #expect(top.map { [$0.first, $0.second, $0.tokens] } == [[0, 1, 3], [0, 2, 1]])
    #expect(top[0].lift == 1)
  }

  @Test("sources that use different experts are distinguished, others are not")
  func specialization() throws {
    var generator = SeededGenerator(seed: 6)
    let header = RoutingTraceHeader(layers: [0, 1], experts: 4, k: 1, sources: ["a", "b"])
    let writer = try RoutingTraceWriter(header, to: folder.file("t"))
    for source in [0, 1, 0, 1] {
      writer.beginSequence(source: source, promptLength: 100)
      // Layer 0 tells the source, layer 1 does not.
      try writer.append(
        experts: (0..<500).flatMap { _ in
          [
            UInt16(source * 2 + Int.random(in: 0...1, using: &generator)),
            UInt16.random(in: 0...3, using: &generator),
          ]
        })
    }
    try writer.finish()
    let trace = try RoutingTrace(folder.file("t"))
    let found = try #require(try Specialization.bySource(trace))
    #expect(found.tokens == [1000, 1000])
    #expect(Tolerance.chance.allows(found.shares[0], for: 1) && found.shares[1] < 0.01)
    let position = try Specialization.byPosition(trace)
    #expect(position.tokens == [4, 12, 48, 192, 768, 976, 0])
    #expect(try Specialization.byOrigin(trace)?.tokens == [400, 1600])
    let report = try TraceReport(trace)
    #expect(report.diagnosis.contains { $0.contains("Experts differ by source") })
    #expect(
      try JSONDecoder().decode(TraceReport.self, from: JSONEncoder().encode(report)) == report)
  }

  @Test("drift is 0 against itself, and 1 for disjoint sets of experts")
  func drift() throws {
    func counts(_ shift: Int) throws -> RoutingCounts {
      let writer = try RoutingTraceWriter(
        RoutingTraceHeader(layers: [0, 1], experts: 4, k: 1), to: folder.file("t"))
      try writer.append(
        experts: (0..<100).flatMap { token in
          [UInt16(token % 2 + shift), UInt16(token % 2 + shift)]
        })
      try writer.finish()
      return try RoutingCounts(RoutingTrace(folder.file("t")))
    }
    let (low, high) = (try counts(0), try counts(2))
    #expect(try Drift(from: low, to: low).affinities == [0])
    #expect(try Drift(from: low, to: low).loads == [0, 0])
    #expect(try Drift(from: low, to: high).loads == [1, 1])
    #expect(try Drift(from: low, to: high).affinities == [0.75])
    let step = AffinityStep(step: 5, low)
    #expect(step.topSuccessorShare == 1 && step.imbalance == 2 && step.excessShare > 0.9)
    var other = low
    other.layers = [7, 8]
    #expect(throws: TracingError.self) { try Drift(from: low, to: other) }
  }
}

extension Tolerance {
  /// A few dozen roundings in f64.
  fileprivate static let statistics = Tolerance(relative: 1e-12, absolute: 1e-12)
  /// What is subtracted for chance: about 1/1000 bit for 2000 tokens.
  fileprivate static let chance = Tolerance(relative: 5e-3, absolute: 0)
}
