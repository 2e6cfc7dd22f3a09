import MoECore
import Testing

@testable import MoEPlacement

@Suite("Placement bounds")
struct PlacementBoundTests {
  private func symmetric(_ size: Int, seed: UInt64) -> [Double] {
    var generator = SeededGenerator(seed: seed)
    var matrix = [Double](repeating: 0, count: size * size)
    for i in 0..<size {
      for j in 0...i {
        let value = Double.random(in: -1...1, using: &generator)
        (matrix[i * size + j], matrix[j * size + i]) = (value, value)
      }
    }
    return matrix
  }

  @Test("find the eigenvalues of a small matrix, two ways")
  func eigenvalues() {
    let known = [2.0, 1, 0, 1, 2, 1, 0, 1, 2]
    let largest = SymmetricEigenvalues.largest(2, of: known, size: 3)
    #expect(abs(largest[0] - (2 + 2.0.squareRoot())) < 1e-12 && abs(largest[1] - 2) < 1e-12)
    for seed in 0..<4 as Range<UInt64> {
      let matrix = symmetric(9, seed: seed)
      let (values, vectors) = JacobiRotations.solve(matrix, size: 9)
      let sorted = values.sorted(by: >)
      for (a, b) in zip(SymmetricEigenvalues.largest(9, of: matrix, size: 9), sorted) {
        #expect(abs(a - b) < 1e-10)
      }
      for (index, value) in values.enumerated() {
        let vector = Array(vectors[index * 9..<(index + 1) * 9])
        for row in 0..<9 {
          let product = Runs.dot(matrix, at: row * 9, vector, at: 0, count: 9)
          #expect(abs(product - value * vector[row]) < 1e-10)
        }
      }
    }
  }

  @Test("follow the leading vectors of the matrix that they describe")
  func leadingSpace() {
    var generator = SeededGenerator(seed: 5)
    let size = 12
    let share = (0..<size * size).map { _ in Double.random(in: 0...1, using: &generator) }
    let shift = (0..<2 * size).map { _ in Double.random(in: -1...1, using: &generator) }
    let pair = CentredPair(share: share, shift: shift, size: size)
    let vector = (0..<2 * size).map { _ in Double.random(in: -1...1, using: &generator) }
    let matrix = pair.matrix
    for (row, value) in pair.times(vector).enumerated() {
      let product = Runs.dot(matrix, at: row * 2 * size, vector, at: 0, count: 2 * size)
      #expect(abs(value - product) < 1e-12)
    }
    var space = LeadingSpace(size: 2 * size, count: 3)
    var values: [Double] = []
    for _ in 0..<30 { values = space.follow(pair) }
    for (a, b) in zip(values, SymmetricEigenvalues.largest(3, of: matrix, size: 2 * size)) {
      #expect(abs(a - b) < 1e-6)
    }
  }

  @Test("are ordered as documented: each is tighter than the one before", arguments: 0..<3)
  func order(seed: UInt64) throws {
    let problem = try SyntheticTraffic(layers: 3, experts: 12, tokens: 600, seed: seed)
      .problem(ranks: 3)
    let bounds = PlacementBound(problem)
    let found = try SweepSolver().search(problem).evaluation.objective
    let decomposition = try #require(bounds.decomposition)
    #expect(found <= decomposition && bounds.pairwise == decomposition)
    #expect(decomposition < min(bounds.matching, bounds.spectral ?? 0))
    #expect(bounds.matching <= bounds.greedy)
  }
}
