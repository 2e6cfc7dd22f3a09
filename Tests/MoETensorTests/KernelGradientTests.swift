import MoECore
import MoETensor
import MoETestSupport
import Testing

/// Attention and normalization: gradients compared with those of their definition in f64, which
/// libtorch differentiates.
@Suite("Gradients of row kernels")
struct KernelGradientTests {
  private let source = RandomSource(seed: 31)

  /// Gradients in bf16 are rounded once, and sums of attention read a result that was rounded.
  private static func tolerance(_ dtype: DType) -> Tolerance {
    dtype == .f32
      ? Tolerance(relative: 1e-4, absolute: 1e-4) : Tolerance(relative: 1.0 / 64, absolute: 0.03)
  }

  /// Expects the same bits with and without recording, for all inputs and each alone, and
  /// gradients as in f64.
  private func check(
    _ inputs: [Tensor], _ what: String, _ operation: @escaping ([Tensor]) -> Tensor
  ) throws {
    let value = withoutGradients { operation(inputs) }
    let seed = source.normal(value.shape).cast(to: value.dtype)
    func gradients(_ dtype: DType, of chosen: [Int]) throws -> [Tensor] {
      let inputs = inputs.map { $0.cast(to: dtype) }
      return try valueAndGradients(
        of: {
          let result = operation(inputs)
          if dtype == value.dtype { expectClose(result.detached(), value, .exact, what) }
          return (result * seed.cast(to: dtype)).sum()
        }, for: chosen.map { inputs[$0] }
      ).gradients
    }
    let (all, tolerance) = (Array(inputs.indices), Self.tolerance(value.dtype))
    let wide = inputs.map { $0.cast(to: .f64) }
    expectClose(value.cast(to: .f64), withoutGradients { operation(wide) }, tolerance, what)
    let (found, expected) = (
      try gradients(value.dtype, of: all), try gradients(.f64, of: all)
    )
    for index in all {
      let name = "\(what), input \(index)"
      expectClose(found[index].cast(to: .f64), expected[index], tolerance, name)
      let alone = try gradients(value.dtype, of: [index])
      expectClose(alone[0], found[index], .exact, "\(name) alone")
    }
  }

  private let masks: [(name: String, mask: AttentionMask)] = [
    ("latest", .latest(window: nil)), ("window of 1", .latest(window: 1)),
    ("window of 5", .latest(window: 5)), ("window of 70", .latest(window: 70)), ("all", .none),
  ]

  private static let sizes: [AttentionSize] = [
    AttentionSize(heads: 2, keyHeads: 2, width: 16, queries: 1, keys: 1),
    AttentionSize(heads: 4, keyHeads: 2, width: 8, queries: 1, keys: 130),
    AttentionSize(heads: 3, keyHeads: 1, width: 34, queries: 7, keys: 7),
    AttentionSize(heads: 4, keyHeads: 2, width: 64, queries: 50, keys: 67),
    AttentionSize(heads: 2, keyHeads: 1, width: 20, queries: 131, keys: 131),
  ]

  @Test("attention", arguments: [DType.f32, .bf16], sizes)
  func attention(dtype: DType, size: AttentionSize) throws {
    for (name, mask) in masks {
      // Positions before heads, as in layers, so that a head's rows are strided.
      let inputs = [(size.queries, size.heads), (size.keys, size.keyHeads)].map { count, heads in
        source.normal([2, count, heads, size.width]).cast(to: dtype)
      }
      let value = source.normal(inputs[1].shape).cast(to: dtype)
      try check(inputs + [value], "\(size), \(name)") {
        let heads = $0.map { $0.transposed(1, 2) }
        return Tensor.attention(query: heads[0], key: heads[1], value: heads[2], mask: mask)
      }
    }
  }

  @Test("attention of more queries than keys", arguments: [DType.f32, .bf16])
  func moreQueries(dtype: DType) throws {
    let inputs = [100, 3, 3].map { source.normal([1, 2, $0, 16]).cast(to: dtype) }
    try check(inputs, "100 queries, 3 keys") {
      Tensor.attention(query: $0[0], key: $0[1], value: $0[2], scale: 0.5)
    }
  }

  @Test("attention of parts of one tensor", arguments: [DType.f32, .bf16])
  func parts(dtype: DType) throws {
    let all = source.normal([2, 21, 3 * 2 * 24]).cast(to: dtype)
    try check([all], "one projection") {
      let parts = $0[0].split(count: 3, axis: 2).map {
        $0.reshaped([2, 21, 2, 24]).transposed(1, 2)
      }
      return Tensor.attention(
        query: parts[0], key: parts[1], value: parts[2], mask: .latest(window: 9))
    }
  }

  @Test("attention in layouts that the kernels do not read", arguments: [DType.f32, .bf16])
  func otherLayouts(dtype: DType) throws {
    // The elements of a head are not contiguous; heads of bf16 are odd.
    let apart = [9, 12, 12].map { source.normal([1, 2, 10, $0]).cast(to: dtype) }
    try check(apart, "transposed") {
      Tensor.attention(
        query: $0[0].transposed(2, 3), key: $0[1].transposed(2, 3), value: $0[2].transposed(2, 3))
    }
    let odd = [9, 12, 12].map { source.normal([1, 2, $0, 7]).cast(to: dtype) }
    try check(odd, "odd") {
      Tensor.attention(query: $0[0], key: $0[1], value: $0[2], mask: .latest(window: 4))
    }
  }

  @Test(
    "normalized rows", arguments: [DType.f32, .bf16],
    [(1, 1), (1, 33), (3, 15), (64, 16), (65, 40), (200, 7), (130, 256)])
  func normalizedRows(dtype: DType, size: (rows: Int, width: Int)) throws {
    let (rows, width) = size
    // An epsilon of 1 keeps rows of a single element away from 0 / 0.
    let epsilon = width == 1 ? 1 : 1e-5
    let weight = source.normal([width]).cast(to: dtype)
    try check([source.normal([rows, width]).cast(to: dtype), weight], "\(rows)×\(width)") {
      $0[0].rmsNorm(weight: $0[1], epsilon: epsilon)
    }
    let strided = source.normal([2, width, rows]).cast(to: dtype)
    try check([strided, weight], "\(rows)×\(width), strided") {
      $0[0].transposed(1, 2).rmsNorm(weight: $0[1], epsilon: epsilon)
    }
  }

  @Test("leave no tensors behind")
  func memory() async {
    await #expect(processExitsWith: .success) {
      let source = RandomSource(seed: 1)
      let inputs = (0..<3).map { _ in source.normal([1, 2, 9, 16]) }
      let weight = source.normal([16])
      func cycle() throws {
        _ = try valueAndGradients(
          of: {
            let query = inputs[0].rmsNorm(weight: weight, epsilon: 1e-5)
            return Tensor.attention(
              query: query, key: inputs[1], value: inputs[2], mask: .latest(window: 4)
            ).sum()
          }, for: inputs + [weight])
        // Recorded, but never differentiated.
        _ = try valueAndGradients(
          of: {
            _ = Tensor.attention(query: inputs[0], key: inputs[1], value: inputs[2])
            return inputs[0].rmsNorm(weight: weight, epsilon: 1e-5).sum()
          }, for: inputs + [weight])
      }
      for _ in 0..<10 { try cycle() }
      let live = Engine.liveTensorCount
      for _ in 0..<100 { try cycle() }
      precondition(
        Engine.liveTensorCount == live, "\(Engine.liveTensorCount) live tensors, \(live) before")
    }
  }
}

/// The sizes of one attention.
struct AttentionSize: CustomTestStringConvertible {
  var heads: Int
  var keyHeads: Int
  var width: Int
  var queries: Int
  var keys: Int

  var testDescription: String {
    "\(heads) heads, \(keyHeads) key heads of \(width), \(queries) queries, \(keys) keys"
  }
}
