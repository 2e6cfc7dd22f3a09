import MoECore
import MoETensor
import MoETestSupport
import Testing

@testable import MoEEvaluation

/// Fixtures: `Tests/Fixtures/make/fidelity.py`.
@Suite("Measures of generated images")
struct ImageFidelityTests {
  private let file: SafetensorsFile

  init() throws { file = try SafetensorsFile(Fixtures.path("fidelity/metrics.safetensors")) }

  private func tensor(_ name: String) throws -> Tensor { try file.tensor(named: name) }

  /// Distance, mean and deviation of the score, precision, recall.
  private func expected() throws -> [Double] { try tensor("results").array(of: Double.self) }

  @Test("the Fréchet distance is scipy's, both ways round, and 0 to the set itself")
  func frechet() throws {
    let (first, second) = (try tensor("first"), try tensor("second"))
    let found = FrechetDistance.between(first, second)
    let wanted = try expected()[0]
    #expect(Tolerance.sums.allows(found, for: wanted), "\(found), \(wanted)")
    let back = FrechetDistance.between(second, first)
    #expect(Tolerance.sums.allows(back, for: wanted), "\(back), \(wanted)")
    #expect(FrechetDistance.between(first, first) < 1e-8)
  }

  @Test("the Fréchet distance of numbers is that of means and deviations")
  func frechetByHand() {
    // Means 2 and 5, variances 1 and 4: 9 + (1 − 2)².
    let first = Tensor([1, 2, 3] as [Double], shape: [3, 1])
    let second = Tensor([3, 5, 7] as [Double], shape: [3, 1])
    #expect(abs(FrechetDistance.between(first, second) - 10) < 1e-9)
    // Fewer vectors than axes: along each axis only one set varies, so the roots are disjoint.
    let flat = Tensor([0, 0, 2, 0] as [Double], shape: [2, 2])
    let upright = Tensor([0, 0, 0, 4] as [Double], shape: [2, 2])
    #expect(abs(FrechetDistance.between(flat, upright) - (1 + 4 + 2 + 8)) < 1e-9)
  }

  @Test("the distance between sets of one kind falls as they grow")
  func bias() {
    func distance(_ count: Int) -> Double {
      let all = RandomSource(seed: 1).normal([2, count, 16])
      return FrechetDistance.between(all[0], all[1])
    }
    #expect(distance(2000) < 0.3 * distance(250))
  }

  @Test("the Inception Score is NumPy's, and lies between 1 and the classes")
  func score() throws {
    let score = InceptionScore(logits: try tensor("logits"), parts: 4)
    let wanted = try expected()
    #expect(Tolerance.sums.allows(score.mean, for: wanted[1]))
    #expect(Tolerance.sums.allows(score.deviation, for: wanted[2]))
    let sure = Tensor.identity(4, dtype: .f64) * 1e4
    #expect(abs(InceptionScore(logits: sure, parts: 1).mean - 4) < 1e-9)
    #expect(abs(InceptionScore(logits: Tensor.zeros([6, 4]), parts: 2).mean - 1) < 1e-9)
  }

  @Test("precision and recall are those of a direct count")
  func overlap() throws {
    let found = ManifoldOverlap(made: try tensor("made"), real: try tensor("real"))
    let wanted = try expected()
    #expect(abs(found.precision - wanted[3]) < 1e-12 && abs(found.recall - wanted[4]) < 1e-12)
    // Two distant clusters, one of which is generated: all generated images are real, half of the
    // real ones are generated.
    let random = RandomSource(seed: 2)
    let near = random.normal([40, 2])
    let real = Tensor.concatenated(
      [random.normal([40, 2]), random.normal([40, 2]) + 100], axis: 0)
    let half = ManifoldOverlap(made: near, real: real)
    #expect(half.precision > 0.8 && 0.3...0.5 ~= half.recall)
  }

  @Test("accuracy counts the requested class, and halves divide the images")
  func features() {
    let set = ImageFeatures(
      features: Tensor((0..<10).map { Float($0) }, shape: [5, 2]),
      logits: Tensor([1, 0, 0, 1, 1, 0, 0, 1, 0, 1] as [Float], shape: [5, 2]),
      labels: [0, 1, 1, 1, 0])
    #expect(set.accuracy == 0.6)
    #expect(set.half(0).labels == [0, 1] && set.half(1).labels == [1, 1])
    #expect(ImageFeatures.joined([set, set]).count == 10)
    let unknown = ImageFeatures(features: set.features, logits: set.logits)
    #expect(unknown.accuracy == nil)
  }

  @Test("overlap of subspaces is 1 with itself, 0 where orthogonal, k / rows at random")
  func subspaces() {
    let identity = Tensor.identity(4)
    // The first two axes, and the last two.
    let first = identity * Tensor([3, 2, 0, 0] as [Float])
    let last = identity * Tensor([0, 0, 3, 2] as [Float])
    let found = SubspaceOverlap.overlaps(of: [first, last], count: 2)
    for (value, wanted) in zip(found[0] + found[1], [1.0, 0, 0, 1]) {
      #expect(abs(value - wanted) < 1e-9)
    }
    let random = RandomSource(seed: 5)
    let many = (0..<8).map { _ in random.normal([64, 32]) }
    let all = SubspaceOverlap.overlaps(of: many, count: 8)
    // Each is 1 with itself.
    let sum = all.reduce(0.0) { $0 + $1.reduce(0, +) } - 8
    let mean = sum / (8 * 7)
    #expect(abs(mean - 8.0 / 64) < 0.02, "\(mean)")
  }

  @Test("separate clusters give a large ratio, one cloud a small one")
  func separation() {
    let random = RandomSource(seed: 6)
    let cloud = random.normal([400, 16])
    let centres = random.normal([4, 16]) * 40
    let apart = cloud + centres.selecting(Tensor((0..<400).map { $0 % 4 }))
    #expect(ClusterSeparation.ratio(of: apart, clusters: 4) > 10)
    #expect(ClusterSeparation.ratio(of: cloud, clusters: 4) < 1.5)
    // Two points of two vectors each, 4 apart, each 1 from its centre.
    let points = Tensor([0, 2, 4, 6] as [Double], shape: [4, 1])
    #expect(abs(ClusterSeparation.ratio(of: points, clusters: 2) - 4) < 1e-9)
  }
}
