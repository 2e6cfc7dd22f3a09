import MoECore
import MoEModels
import MoERouting
import MoETensor
import Testing

@Suite("Order of experts' answers")
struct ExpertOrderTests {
  @Test(
    "is that of the token's own list: alone, in company and in slices",
    arguments: [[0, 1, 2], [0, 2, 1], [2, 1, 0]])
  func ownList(list: [Int]) throws {
    // In f32, (2²⁴ + 1) − 2²⁴ is 0, and (2²⁴ − 2²⁴) + 1 is 1.
    let values: [Float] = [16_777_216, 1, -16_777_216]
    let expected = list.reduce(0 as Float) { $0 + values[$1] }
    let experts = values.map { value in
      FeedForward(
        gate: nil, up: Linear(weight: Parameter(Tensor.ones([1, 1]))),
        down: Linear(weight: Parameter(Tensor([value], shape: [1, 1]))), activation: .relu)
    }
    let kernels = ExpertBanks.standard.bank(of: experts, outputs: 1)
    try #require(!(kernels is SlicedExperts))
    let banks: [any ExpertBank] = [kernels, SlicedExperts(experts, outputs: 1)]
    for (bank, tokens) in banks.flatMap({ bank in [1, 2, 17].map { (bank, $0) } }) {
      let routing = Routing(
        tokenCount: tokens, expertCount: 3,
        choice: .byToken(experts: (0..<tokens).flatMap { _ in list }, k: 3),
        weights: Tensor.ones([tokens, 3]), probabilities: Tensor.ones([tokens, 3]))
      let sums = withoutGradients {
        bank.run(ExpertRows(Tensor.ones([tokens, 1])), Dispatch(routing))
      }
      #expect(
        sums.array(of: Float.self) == Array(repeating: expected, count: tokens), "\(tokens) tokens")
    }
  }
}
