import MoECore
import MoETensor
import MoETestSupport
import Synchronization
import Testing

/// Each kernel compared with its definition in f64.
@Suite("Row kernels")
struct KernelTests {
  private let source = RandomSource(seed: 11)

  private static func tolerance(_ dtype: DType) -> Tolerance {
    dtype == .f32 ? .sums : .bf16
  }

  /// softmax(Q · Kᵀ / √width) · V over the keys that each query sees, in f64.
  private func attention(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, window: Int?, seesAll: Bool = false
  ) -> Tensor {
    let group = q.size(1) / k.size(1)
    let (queries, keys) = (q.size(2), k.size(2))
    var seen: [Bool] = []
    for query in 0..<queries {
      let position = keys - queries + query
      seen += (0..<keys).map {
        seesAll || $0 <= position && $0 > position - (window ?? keys)
      }
    }
    let hidden = Tensor(seen.map { !$0 }, shape: [queries, keys])
    var heads: [Tensor] = []
    for head in 0..<q.size(1) {
      func part(_ x: Tensor, _ head: Int) -> Tensor {
        x.cast(to: .f64).slice(axis: 1, head..<head + 1)
      }
      let scores = part(q, head).matmul(part(k, head / group).transposed(-1, -2))
      let scaled = scores * (1 / Double(q.size(3)).squareRoot())
      heads.append(
        scaled.filled(with: -.infinity, where: hidden).softmax(axis: -1)
          .matmul(part(v, head / group)))
    }
    return Tensor.concatenated(heads, axis: 1)
  }

  @Test(
    "attend to the latest positions", arguments: [DType.f32, .bf16],
    [(1, 1), (1, 200), (7, 7), (48, 48), (49, 130), (130, 130)])
  func attends(dtype: DType, sizes: (queries: Int, keys: Int)) {
    for (heads, keyHeads, width) in [(2, 2, 16), (4, 2, 24), (3, 1, 34)] {
      for window in [nil, 1, 5, 64] as [Int?] {
        // Positions before heads, as in layers, so that a head's rows are strided.
        func random(_ count: Int, _ heads: Int) -> Tensor {
          source.normal([2, count, heads, width]).cast(to: dtype).transposed(1, 2)
        }
        let q = random(sizes.queries, heads) * 3
        let (k, v) = (random(sizes.keys, keyHeads), random(sizes.keys, keyHeads))
        let found = withoutGradients {
          Tensor.attention(query: q, key: k, value: v, mask: .latest(window: window))
        }
        expectClose(
          found.cast(to: .f64), attention(q, k, v, window: window),
          // Attention weights are rounded to bf16 before they multiply the values, which are about
          // 1.
          dtype == .f32 ? .sums : Tolerance(relative: 1.0 / 128, absolute: 1.0 / 256))
      }
    }
  }

  @Test(
    "attend to all positions", arguments: [DType.f32, .bf16],
    [(1, 1), (1, 200), (45, 45), (48, 64), (130, 130), (130, 3)])
  func attendsToAll(dtype: DType, sizes: (queries: Int, keys: Int)) {
    for (heads, keyHeads, width) in [(2, 2, 16), (4, 2, 24), (3, 1, 34)] {
      func random(_ count: Int, _ heads: Int) -> Tensor {
        source.normal([2, count, heads, width]).cast(to: dtype).transposed(1, 2)
      }
      let q = random(sizes.queries, heads) * 3
      let (k, v) = (random(sizes.keys, keyHeads), random(sizes.keys, keyHeads))
      let found = withoutGradients { Tensor.attention(query: q, key: k, value: v) }
      expectClose(
        found.cast(to: .f64), attention(q, k, v, window: nil, seesAll: true),
        dtype == .f32 ? .sums : Tolerance(relative: 1.0 / 128, absolute: 1.0 / 256))
    }
  }

  @Test("attend in windows beyond all keys, and for scores of any size")
  func attendsAtLimits() {
    let (q, k, v) = (
      source.normal([1, 1, 5, 16]), source.normal([1, 1, 5, 16]), source.normal([1, 1, 5, 16])
    )
    func attend(_ q: Tensor, _ window: Int?) -> Tensor {
      withoutGradients {
        Tensor.attention(query: q, key: k, value: v, mask: .latest(window: window))
      }
    }
    for window in [5, Int(Int32.max), .max] {
      expectClose(attend(q, window), attend(q, nil), .exact)
    }
    let far = withoutGradients {
      Tensor.attention(
        query: Tensor.full(2e15, [1, 1, 5, 16]), key: Tensor.full(-2e15, [1, 1, 5, 16]), value: v,
        mask: .latest(window: nil))
    }
    expectClose(far.at(0).at(0).at(0), v.at(0).at(0).at(0), .sums)
    #expect(far.isFinite().array(of: Bool.self).allSatisfy { $0 })
  }

  @Test("attend with gradients as without them")
  func attendsWithGradients() throws {
    let (q, k, v) = (
      source.normal([1, 2, 5, 8]), source.normal([1, 2, 9, 8]), source.normal([1, 2, 9, 8])
    )
    for window in [nil, 3] as [Int?] {
      let result = try valueAndGradients(
        of: {
          let y = Tensor.attention(query: q, key: k, value: v, mask: .latest(window: window))
          expectClose(y.detached().cast(to: .f64), attention(q, k, v, window: window), .sums)
          return y.sum()
        }, for: [q, k, v])
      // Weights sum to 1, so each value's gradient sums to the weights it received.
      expectClose(result.gradients[2].sum(), Tensor(Float(2 * 5 * 8)), .sums)
    }
  }

  @Test("normalize rows", arguments: [DType.f32, .bf16], [1, 15, 16, 33, 256])
  func normalizes(dtype: DType, width: Int) {
    let x = source.normal([3, width]).cast(to: dtype)
    let weight = source.normal([width]).cast(to: dtype)
    let (x64, weight64) = (x.cast(to: .f64), weight.cast(to: .f64))
    let squares = (x64 * x64).mean(axis: 1, keepAxes: true)
    let expected = x64 / (squares + 1e-5).sqrt() * weight64
    let found = withoutGradients { x.rmsNorm(weight: weight, epsilon: 1e-5) }
    expectClose(found.cast(to: .f64), expected, Self.tolerance(dtype))
  }

  @Test("rotate halves, and gradients back", arguments: [DType.f32, .bf16], [2, 16, 34, 128])
  func rotates(dtype: DType, width: Int) throws {
    let x = source.normal([2, 3, 2, width]).cast(to: dtype)
    let angle = source.normal([3, width / 2])
    let (cosine, sine) = (angle.cos(), angle.sin())
    func definition(_ x: Tensor, _ sine: Tensor) -> Tensor {
      let halves = x.cast(to: .f64).split(count: 2, axis: -1)
      let (c, s) = (
        cosine.cast(to: .f64).expandingAxis(1), sine.cast(to: .f64).expandingAxis(1)
      )
      return Tensor.concatenated(
        [halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s], axis: -1)
    }
    let found = withoutGradients { x.rotatingHalves(cosine: cosine, sine: sine) }
    expectClose(found.cast(to: .f64), definition(x, sine), Self.tolerance(dtype))
    let seed = source.normal(x.shape).cast(to: dtype)
    let gradient = try valueAndGradients(
      of: { (x.rotatingHalves(cosine: cosine, sine: sine) * seed).sum() }, for: [x])
    expectClose(
      gradient.gradients[0].cast(to: .f64), definition(seed, -sine), Self.tolerance(dtype))
  }

  @Test("multiply f32 matrices, with gradients", arguments: [true, false])
  func multiplies(hasBias: Bool) throws {
    let (x, weight) = (source.normal([4, 64, 128]), source.normal([256, 128]))
    let bias = source.normal([256])
    let seed = source.normal([4, 64, 256])
    func result(_ dtype: DType) throws -> ValueAndGradients {
      let (x, weight, bias) = (x.cast(to: dtype), weight.cast(to: dtype), bias.cast(to: dtype))
      return try valueAndGradients(
        of: { (x.linear(weight, bias: hasBias ? bias : nil) * seed.cast(to: dtype)).mean() },
        for: [x, weight, bias])
    }
    let (found, expected) = (try result(.f32), try result(.f64))
    expectClose(found.value.cast(to: .f64), expected.value, .sums)
    for (one, other) in zip(found.gradients, expected.gradients) {
      expectClose(one.cast(to: .f64), other, .sums)
    }
  }

  @Test("run every piece once")
  func threads() async {
    await #expect(processExitsWith: .success) {
      Engine.threadCount = 2
      let counts = Mutex([Int](repeating: 0, count: 37))
      unsafe Engine.parallelPieces(37, scratch: 8) { piece, _ in counts.withLock { $0[piece] += 1 }
      }
      precondition(counts.withLock { $0.allSatisfy { $0 == 1 } })
    }
  }
}
