import MoERouting
import Testing

@testable import MoEModels

@Suite("Parameter counts of diffusion transformers")
struct DiffusionCountTests {
  @Test(
    "are those of the paper",
    arguments: [
      (DiffusionSize.small, 32_963_360, 75_543_584, 32_993_312),
      (.base, 130_512_416, 300_607_520, 130_572_320),
      (.large, 458_102_816, 1_062_684_704, 458_262_560),
      (.extraLarge, 675_129_632, 1_567_733_792, 675_339_296),
    ])
  func counts(size: DiffusionSize, dense: Int, all: Int, active: Int) throws {
    #expect(try DiffusionConfiguration.preset(size, router: nil).parameterCount() == (dense, dense))
    for router in [DiffusionExpertsConfiguration.Router.promoe, .promoeExpertChoice] {
      #expect(
        try DiffusionConfiguration.preset(size, router: router).parameterCount() == (all, active))
    }
    let configuration = DiffusionConfiguration.preset(size, router: .promoe)
    #expect(configuration.sparseBlocks == Array(stride(from: 1, to: configuration.depth, by: 2)))
    // E14A3: three experts of the same width per token.
    var three = configuration
    three.experts?.perToken = 3
    let width = configuration.hiddenSize
    let expert = 4 * width * width + 3 * width
    #expect(
      try three.parameterCount().active - active == 2 * expert * configuration.sparseBlocks.count)
  }

  /// Parameter counts by rule for S, B, L, XL, and for 8×8, 16×16 and 32×32 pixels, added up by
  /// hand from the shapes that the papers describe.
  private static let table: [(router: DiffusionExpertsConfiguration.Router?, counts: [Int])] = [
    (nil, [32_963_360, 130_512_416, 458_102_816, 675_129_632, 329_988, 1_874_180, 9_775_152]),
    (
      .promoe,
      [75_543_584, 300_607_520, 1_062_684_704, 1_567_733_792, 529_796, 3_459_716, 18_197_552]
    ),
    (
      .promoeExpertChoice,
      [75_543_584, 300_607_520, 1_062_684_704, 1_567_733_792, 529_796, 3_459_716, 18_197_552]
    ),
    (
      .classification,
      [75_543_656, 300_607_592, 1_062_684_848, 1_567_733_960, 529_808, 3_459_740, 18_197_584]
    ),
    (
      .kMeans,
      [75_515_936, 300_552_224, 1_062_537_248, 1_567_540_256, 529_028, 3_456_644, 18_189_360]
    ),
    (
      .tokenChoice,
      [82_607_648, 328_891_424, 1_163_274_272, 1_716_272_672, 529_028, 3_061_124, 16_086_064]
    ),
    (
      .expertChoice,
      [82_607_648, 328_891_424, 1_163_274_272, 1_716_272_672, 529_028, 3_061_124, 16_086_064]
    ),
    (
      .diffMoE,
      [83_513_168, 332_471_888, 1_175_967_872, 1_734_997_392, 537_868, 3_112_208, 16_353_344]
    ),
  ]

  @Test("are those of the papers in every size with every rule")
  func everyCount() throws {
    let kinds: [DiffusionExpertsConfiguration.Router?] =
      [nil] + DiffusionExpertsConfiguration.Router.builtIn
    #expect(Set(Self.table.map(\.router)) == Set(kinds))
    #expect(Self.table.allSatisfy { $0.counts.count == DiffusionSize.allCases.count })
    for (router, counts) in Self.table {
      for (size, count) in zip(DiffusionSize.allCases, counts) {
        let found = try DiffusionConfiguration.preset(size, router: router).parameterCount().all
        #expect(found == count, "\(size) with \(router?.name ?? "no experts")")
      }
    }
    // DiffMoE-L with 16 experts: 1.982 billion, as its authors publish.
    var large = DiffusionConfiguration.preset(.large, router: .diffMoE)
    large.experts?.count = 16
    #expect(try large.parameterCount().all == 1_981_962_464)
  }

  @Test("of the baselines follow from their descriptions")
  func baselineCounts() throws {
    // Sums of the code's own shapes: dense L, seven more experts of full width in twelve blocks, gates, predictors.
    let (dense, width) = (458_102_816, 1024)
    let experts = 12 * 7 * (8 * width * width + 5 * width)
    let gates = 12 * 8 * width
    let predictors = 12 * (width * width + width + 8 * width + 8)
    func count(_ router: DiffusionExpertsConfiguration.Router) throws -> Int {
      try DiffusionConfiguration.preset(.large, router: router).parameterCount().all
    }
    #expect(try count(.tokenChoice) == dense + experts + gates)
    #expect(try count(.expertChoice) == dense + experts + gates)
    #expect(try count(.diffMoE) == dense + experts + gates + predictors)
    #expect(try (1_175_500_000..<1_176_500_000).contains(count(.diffMoE)))
  }
}
