import MoECore
import MoETensor
import MoETestSupport
import Testing

@Suite("Gradients")
struct GradientTests {
  @Test("are those of calculus")
  func literal() throws {
    let x = Tensor([1, 2, 3] as [Float])
    let result = try valueAndGradients(of: { (x * x * x).sum() }, for: [x])
    #expect(result.value.item() == 36 as Float)
    #expect(result.gradients[0].array() == [3, 12, 27] as [Float])
  }

  @Test("are zero for variables that do not take part")
  func unused() throws {
    let (x, y) = (Tensor([1] as [Float]), Tensor([1, 2] as [Float]))
    let some = try valueAndGradients(of: { x.sum() }, for: [x, y])
    #expect(some.gradients[1].array() == [0, 0] as [Float])
    let none = try valueAndGradients(of: { Tensor(5 as Float) }, for: [x])
    #expect(none.gradients[0].array() == [0] as [Float] && none.value.item() == 5 as Float)
  }

  @Test("leave no trace on variables or results")
  func noTrace() throws {
    let x = Tensor([2] as [Float])
    let value = try valueAndGradients(of: { (x * x).sum() }, for: [x]).value
    let again = try valueAndGradients(of: { (x * value).sum() }, for: [x])
    #expect(again.gradients[0].array() == [4] as [Float])
  }

  @Test("are not recorded on request, nor through detached tensors")
  func cut() throws {
    let x = Tensor([3] as [Float])
    let result = try valueAndGradients(
      of: { (x * withoutGradients { x * x } + x.detached() * x).sum() }, for: [x])
    #expect(result.gradients[0].array() == [12] as [Float])
  }

  @Test("propagate errors of the loss, and work afterwards")
  func throwing() throws {
    struct Refusal: Error {}
    let x = Tensor([3] as [Float])
    #expect(throws: Refusal.self) { try valueAndGradients(of: { throw Refusal() }, for: [x]) }
    #expect(try valueAndGradients(of: { x.sum() }, for: [x]).gradients[0].item() == 1 as Float)
  }

  @Test("of a loss that is not a scalar end the program")
  func vectorLoss() async {
    await #expect(processExitsWith: .failure) {
      let x = Tensor([1, 2] as [Float])
      _ = try valueAndGradients(of: { x * 2 }, for: [x])
    }
  }
}

@Suite("Gradients that come one by one")
struct EachGradientTests {
  private struct Refusal: Error {}
  private let weights: [Parameter]
  private let x: Tensor

  init() {
    let source = RandomSource(seed: 4)
    weights = [[5, 4], [4, 5], [7]].map { Parameter(source.normal($0)) }
    x = source.normal([3, 4])
  }

  /// The first weight is used twice; the third not at all, though the block lists it.
  private func loss() throws -> Tensor {
    let first = try recomputed(x, parameters: weights) {
      $0.linear(weights[0].value).tanh().linear(weights[1].value)
    }
    return first.linear(weights[0].value).sin().sum()
  }

  private func gradients() throws -> (loss: Tensor, all: [Int: Tensor]) {
    var all: [Int: Tensor] = [:]
    let loss = try forEachGradient(of: loss, for: weights) { index, gradient in
      #expect(all[index] == nil)
      all[index] = gradient
    }
    return (loss, all)
  }

  @Test("are those that come together")
  func same() throws {
    let together = try valueAndGradients(of: loss, for: weights)
    let found = try gradients()
    expectClose(found.loss, together.value, .exact)
    #expect(found.all.count == weights.count)
    for (index, gradient) in together.gradients.enumerated() {
      let one = try #require(found.all[index])
      expectClose(one, gradient, .exact, "\(index)")
    }
  }

  @Test("may change the weights while they come")
  func changing() throws {
    let expected = try valueAndGradients(of: loss, for: weights).gradients
    let (shared, old) = (weights[1].value, weights.map { $0.value.copied() })
    _ = try forEachGradient(of: loss, for: weights) { index, gradient in
      weights[index].copyElements(of: weights[index].value - gradient)
    }
    for (index, weight) in weights.enumerated() {
      expectClose(weight.value, old[index] - expected[index], .exact, "\(index)")
    }
    // Code that read a value before keeps it, as a constant.
    expectClose(shared, old[1], .exact)
    #expect(!Tensor.recordsGradients([shared] + weights.map(\.value)))
  }

  @Test("leave no trace when their use fails")
  func failing() throws {
    let expected = try gradients().all
    #expect(throws: Refusal.self) {
      _ = try forEachGradient(of: loss, for: weights) { _, _ in throw Refusal() }
    }
    #expect(throws: Refusal.self) {
      _ = try forEachGradient(of: { throw Refusal() }, for: weights) { _, _ in }
    }
    #expect(!Tensor.recordsGradients(weights.map(\.value)))
    let again = try gradients().all
    for index in weights.indices {
      expectClose(try #require(again[index]), try #require(expected[index]), .exact, "\(index)")
    }
  }
}

@Suite("Recomputed blocks")
struct RecomputationTests {
  private let source = RandomSource(seed: 7)

  /// Two weights and an input that also needs a gradient.
  private func problem(_ dtype: DType) -> (x: Tensor, weights: [Parameter]) {
    let x = source.normal([3, 4], dtype: dtype)
    return (
      x,
      [source.normal([5, 4], dtype: dtype), source.normal([2, 5], dtype: dtype)].map(Parameter.init)
    )
  }

  private func network(_ x: Tensor, _ weights: [Parameter]) -> Tensor {
    x.linear(weights[0].value).tanh().linear(weights[1].value)
  }

  @Test("give the same results and gradients as blocks that are not")
  func matchesPlain() throws {
    let (x, weights) = problem(.f32)
    let variables = [x] + weights.map(\.value)
    let plain = try valueAndGradients(
      of: { network(x * 2, weights).sigmoid().sum() }, for: variables)
    let saved = try valueAndGradients(
      of: { try recomputed(x * 2, parameters: weights) { network($0, weights) }.sigmoid().sum() },
      for: variables)
    expectClose(saved.value, plain.value, .exact)
    for (one, other) in zip(saved.gradients, plain.gradients) { expectClose(one, other, .exact) }
  }

  @Test("agree with finite differences")
  func finiteDifferences() throws {
    let (x, weights) = problem(.f64)
    let loss = { try recomputed(x, parameters: weights) { network($0, weights) }.sin().sum() }
    let exact = try valueAndGradients(of: loss, for: weights).gradients
    for (weight, gradient) in zip(weights, exact) {
      let original = weight.value
      var differences: [Double] = []
      for index in 0..<original.count {
        let step = Tensor(
          (0..<original.count).map { $0 == index ? 1e-5 : 0 }, shape: original.shape)
        weight.assign(original + step)
        let above = try loss().item(as: Double.self)
        weight.assign(original - step)
        differences.append((above - (try loss().item(as: Double.self))) / 2e-5)
      }
      weight.assign(original)
      expectClose(gradient, Tensor(differences, shape: original.shape), .finiteDifferences)
    }
  }

  @Test("may be nested, take integers and leave results unused")
  func nested() throws {
    let table = Parameter(source.normal([6, 3]))
    let indices = Tensor([5, 0, 0])
    let plain = try valueAndGradients(
      of: { table.value.embedding(indices).exp().sum() }, for: [table])
    let saved = try valueAndGradients(
      of: {
        try recomputed([indices], parameters: [table]) { input in
          let rows = try recomputed([input[0]], parameters: [table]) {
            [table.value.embedding($0[0])]
          }
          return [rows[0].exp(), rows[0] * 100]
        }[0].sum()
      }, for: [table])
    expectClose(saved.gradients[0], plain.gradients[0], .exact)
  }

  @Test("that fail in the backward pass make the gradients fail, and nothing else")
  func failure() throws {
    struct Refusal: Error {}
    let x = Tensor([1] as [Float])
    var calls = 0
    let error = #expect(throws: TensorError.self) {
      try valueAndGradients(
        of: {
          try recomputed(x) { input in
            calls += 1
            if calls == 2 { throw Refusal() }
            return input * 2
          }.sum()
        }, for: [x])
    }
    #expect(calls == 2 && "\(error, default: "")".contains("Refusal"))
    #expect(
      try valueAndGradients(of: { try recomputed(x) { $0 * 2 }.sum() }, for: [x]).gradients[0]
        .item() == 2 as Float)
  }
}
