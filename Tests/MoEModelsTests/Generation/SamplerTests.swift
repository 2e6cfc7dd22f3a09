import Foundation
import MoEModels
import Testing

@Suite("Sampling")
struct SamplerTests {
  /// Relative frequencies of the tokens among many draws.
  private func shares(
    _ settings: SamplingSettings, _ scores: [Float], history: [Int] = []
  ) -> [Double] {
    let sampler = Sampler(settings, seed: 1)
    var counts = [Double](repeating: 0, count: scores.count)
    for position in 0..<20_000 {
      counts[sampler.choose(from: scores, history: history, at: position)] += 1 / 20_000
    }
    return counts
  }

  private func expectShares(
    _ settings: SamplingSettings, _ scores: [Float], _ expected: [Double], history: [Int] = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    // Five standard errors of a frequency of one half are below 0.018.
    for (found, wanted) in zip(shares(settings, scores, history: history), expected) {
      #expect(abs(found - wanted) < 0.018, sourceLocation: sourceLocation)
    }
  }

  private let scores = [0.1, 0.2, 0.3, 0.4].map { Float(log($0)) }

  @Test("follows the model's probabilities, changed by the temperature")
  func temperature() throws {
    expectShares(try SamplingSettings(), scores, [0.1, 0.2, 0.3, 0.4])
    let squares = [0.01, 0.04, 0.09, 0.16].map { $0 / 0.3 }
    expectShares(try SamplingSettings(temperature: 0.5), scores, squares)
    expectShares(try SamplingSettings(temperature: 0), scores + [scores[3]], [0, 0, 0, 1, 0])
  }

  @Test("limits tokens by number, by cumulative probability and by ratio to the largest")
  func cuts() throws {
    expectShares(try SamplingSettings(topK: 2), scores, [0, 0, 3.0 / 7, 4.0 / 7])
    expectShares(try SamplingSettings(topP: 0.65), scores, [0, 0, 3.0 / 7, 4.0 / 7])
    expectShares(try SamplingSettings(topP: 0.75), scores, [0, 2.0 / 9, 3.0 / 9, 4.0 / 9])
    expectShares(try SamplingSettings(minP: 0.6), scores, [0, 0, 3.0 / 7, 4.0 / 7])
    expectShares(try SamplingSettings(topK: 3, topP: 0.4), scores, [0, 0, 0, 1])
  }

  @Test("makes tokens that have occurred less likely")
  func penalty() throws {
    let sampler = Sampler(try SamplingSettings(temperature: 0, repetitionPenalty: 2), seed: 1)
    #expect(sampler.choose(from: [3, 2, -1], history: [0], at: 1) == 1)
    #expect(sampler.choose(from: [-3, -2, -2.5], history: [1, 1], at: 2) == 2)
  }

  @Test("draws a number for each seed, request and position, whatever was drawn before")
  func seeded() throws {
    func draws(_ seed: UInt64, _ request: String, _ positions: [Int]) throws -> [Int] {
      let sampler = Sampler(try SamplingSettings(), seed: seed, request: request)
      return positions.map { sampler.choose(from: scores, history: [], at: $0) }
    }
    let positions = Array(0..<50)
    let found = try draws(1, "a", positions)
    #expect(try draws(1, "a", positions.reversed()) == found.reversed())
    #expect(try draws(2, "a", positions) != found)
    #expect(try draws(1, "b", positions) != found)
    #expect(try draws(1, "a", positions.map { $0 + 1 }) != found)
    // A seed and a name cannot be mistaken for others.
    #expect(try draws(1, "1 a", positions) != draws(11, "a", positions))
  }

  @Test("refuses settings out of range")
  func refuses() {
    #expect(throws: SamplingError.self) { try SamplingSettings(temperature: -1) }
    #expect(throws: SamplingError.self) { try SamplingSettings(temperature: .nan) }
    #expect(throws: SamplingError.self) { try SamplingSettings(topK: 0) }
    #expect(throws: SamplingError.self) { try SamplingSettings(topP: 0) }
    #expect(throws: SamplingError.self) { try SamplingSettings(topP: 1.1) }
    #expect(throws: SamplingError.self) { try SamplingSettings(minP: 1) }
    #expect(throws: SamplingError.self) { try SamplingSettings(repetitionPenalty: 0) }
  }
}
