import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import Testing

@Suite("Dispatch")
struct DispatchTests {
  /// The definition, one token and one expert at a time.
  private func reference(_ x: Tensor, _ routing: Routing, _ experts: [Tensor]) -> Tensor {
    var rows = (0..<routing.tokenCount).map { _ in
      Tensor.zeros([experts[0].size(0)], dtype: x.dtype)
    }
    let weights = routing.weights.reshaped([-1])
    for (place, assignment) in routing.assignments.enumerated() {
      let (token, expert) = (assignment[0], assignment[1])
      let answer = x[token].expandingAxis(0).linear(experts[expert])[0].tanh()
      rows[token] = rows[token] + answer * weights[place].cast(to: x.dtype)
    }
    return rows.isEmpty
      ? Tensor.zeros([0, experts[0].size(0)], dtype: x.dtype) : Tensor.stacked(rows)
  }

  private static var routers: [any Router] {
    get throws {
      [
        try TokenChoiceRouter(k: 2, experts: 5, renormalizes: true),
        try TokenChoiceRouter(k: 5, experts: 5, renormalizes: false),
        try TokenChoiceRouter(k: 1, experts: 5, scoring: .sigmoid, renormalizes: false),
        try ExpertChoiceRouter(capacityFactor: 1.5, experts: 5),
      ]
    }
  }

  @Test("gives what a loop over tokens gives, and its gradients", arguments: [0, 1, 3, 17])
  func matchesLoop(tokens: Int) throws {
    let source = RandomSource(seed: UInt64(tokens))
    let x = source.normal([tokens, 4], dtype: .f64)
    let gate = source.normal([5, 4], dtype: .f64)
    let experts = (0..<5).map { _ in source.normal([4, 4], dtype: .f64) }
    for router in try Self.routers {
      func loss(_ run: (Routing) -> Tensor) throws -> ValueAndGradients {
        try valueAndGradients(
          of: {
            let y = run(router.route(x.linear(gate)))
            return (y * y + y).sum()
          }, for: [x, gate] + experts)
      }
      let fast = try loss { routing in
        Dispatch(routing).run(x) { expert, rows in rows.linear(experts[expert]).tanh() }
      }
      let slow = try loss { reference(x, $0, experts) }
      expectClose(fast.value, slow.value, .sameKernels)
      for (one, other) in zip(fast.gradients, slow.gradients) {
        expectClose(one, other, .sameKernels)
      }
    }
  }

  @Test("sums answers in the order of the token's own list")
  func ownOrder() {
    // In f32, (2²⁴ + 1) − 2²⁴ and (1 + 2²⁴) − 2²⁴ are 0, and (2²⁴ − 2²⁴) + 1 is 1.
    let lists = [[0, 1, 2], [0, 2, 1], [1, 0, 2]]
    let routing = Routing(
      tokenCount: 3, expertCount: 3, choice: .byToken(experts: lists.flatMap(\.self), k: 3),
      weights: Tensor.ones([3, 3]), probabilities: Tensor.ones([3, 3]))
    let values: [Double] = [16_777_216, 1, -16_777_216]
    let sums = Dispatch(routing).run(Tensor.ones([3, 1])) { expert, rows in rows * values[expert] }
    #expect(sums.array(of: Float.self) == [0, 1, 0])
  }

  @Test("lays assignments out expert by expert, tokens in order")
  func layout() {
    let routing = Routing(
      tokenCount: 3, expertCount: 4, choice: .byToken(experts: [2, 0, 2, 3, 0, 2], k: 2),
      weights: Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2]),
      probabilities: Tensor.zeros([3, 4]))
    let dispatch = Dispatch(routing)
    #expect(dispatch.counts == [2, 0, 3, 1])
    #expect(dispatch.tokens.array() == [0, 2, 0, 1, 2, 1])
    #expect(dispatch.weights.array() == [2, 5, 1, 3, 6, 4] as [Float])
  }

  @Test("calls only experts with tokens, each once")
  func busyExperts() throws {
    let routing = Routing(
      tokenCount: 2, expertCount: 3, choice: .byToken(experts: [2, 0], k: 1),
      weights: Tensor.ones([2, 1]),
      probabilities: Tensor.zeros([2, 3]))
    var asked: [Int] = []
    let y = Dispatch(routing).run(Tensor.ones([2, 4])) { expert, rows in
      asked.append(expert)
      #expect(rows.shape == [1, 4])
      return rows * expert
    }
    #expect(asked == [0, 2])
    #expect(y.array() == [2, 2, 2, 2, 0, 0, 0, 0] as [Float])
  }

  @Test("leaves tokens that no expert chose at zero")
  func unchosen() {
    let routing = Routing(
      tokenCount: 3, expertCount: 2, choice: .byExpert(tokens: [[1], [1]]),
      weights: Tensor([0.5, 0.25] as [Float]), probabilities: Tensor.zeros([3, 2]))
    let y = Dispatch(routing).run(Tensor.ones([3, 1])) { _, rows in rows }
    #expect(y.array() == [0, 0.75, 0] as [Float])
  }
}
