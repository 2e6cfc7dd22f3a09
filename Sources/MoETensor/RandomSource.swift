import CTorch
public import MoECore

private let uniformOperator = Operator("uniform_")
private let normalOperator = Operator("normal_")
private let bernoulliOperator = Operator("bernoulli_", "float")
private let integersOperator = Operator("randint", "low_generator")
private let permutationOperator = Operator("randperm", "generator")
private let multinomialOperator = Operator("multinomial")

/// A source of random tensors that depend only on its seed.
///
/// Numbers are drawn on the CPU (by libtorch's Mersenne Twister) and moved, so that they are the
/// same on every device. Nothing in this package uses a global source.
@safe public final class RandomSource {
  private let handle: OpaquePointer

  /// Starts the sequence of `seed`.
  public init(seed: UInt64) {
    var handle: OpaquePointer?
    let status = unsafe ctorch_generator_new(seed, &handle)
    guard status == 0, let handle = unsafe handle else { programmerError(Engine.lastError) }
    unsafe self.handle = handle
  }

  deinit { unsafe ctorch_generator_free(handle) }

  /// The whole state as bytes, u8, for checkpoints.
  public var state: Tensor {
    var result: OpaquePointer?
    let status = unsafe ctorch_generator_state(handle, &result)
    extendLifetime(self)
    guard status == 0, let result = unsafe result else { programmerError(Engine.lastError) }
    return unsafe Tensor(owning: result)
  }

  /// Restores a saved state.
  ///
  /// - Throws: ``TensorError/invalidRandomState(message:)`` when the bytes are not the state of a
  ///   source.
  public func restore(_ state: Tensor) throws(TensorError) {
    guard unsafe state.withHandle({ unsafe ctorch_generator_set_state(handle, $0) }) == 0 else {
      throw .invalidRandomState(message: Engine.lastError)
    }
  }

  /// Values uniformly distributed over `[low, high)`.
  public func uniform(
    _ shape: [Int], low: Double = 0, high: Double = 1, dtype: DType = .f32, on device: Device = .cpu
  ) -> Tensor {
    let result = Tensor.uninitialized(shape, dtype: dtype)
    uniformOperator.update(result, low, high, self)
    return result.moved(to: device)
  }

  /// Normally distributed values.
  public func normal(
    _ shape: [Int], mean: Double = 0, standardDeviation: Double = 1, dtype: DType = .f32,
    on device: Device = .cpu
  ) -> Tensor {
    let result = Tensor.uninitialized(shape, dtype: dtype)
    normalOperator.update(result, mean, standardDeviation, self)
    return result.moved(to: device)
  }

  /// Ones with the given probability, zeros otherwise.
  public func bernoulli(
    _ shape: [Int], probability: Double, dtype: DType = .f32, on device: Device = .cpu
  ) -> Tensor {
    require(0...1 ~= probability, "a probability of \(probability)")
    let result = Tensor.uninitialized(shape, dtype: dtype)
    bernoulliOperator.update(result, probability, self)
    return result.moved(to: device)
  }

  /// Integers of `range`, i64, each equally likely.
  ///
  /// - Precondition: The range is not empty.
  public func integers(_ shape: [Int], in range: Range<Int>, on device: Device = .cpu) -> Tensor {
    require(!range.isEmpty, "random integers of an empty range")
    return integersOperator(range.lowerBound, range.upperBound, shape, self, DType.i64)
      .moved(to: device)
  }

  /// The integers from 0 to `count - 1` in random order, i64, shape `[count]`.
  public func permutation(_ count: Int, on device: Device = .cpu) -> Tensor {
    permutationOperator(count, self, DType.i64).moved(to: device)
  }

  /// Draws columns in proportion to weights.
  ///
  /// - Parameters:
  ///   - weights: Non-negative, finite, not all 0 in a row; shape `[rows, columns]`.
  ///   - count: Draws per row.
  ///   - replacement: Whether a column may be drawn again.
  /// - Returns: Column indices, i64, shape `[rows, count]`.
  public func categorical(_ weights: Tensor, count: Int = 1, replacement: Bool = false) -> Tensor {
    multinomialOperator(weights.moved(to: .cpu), count, replacement, self).moved(to: weights.device)
  }
}

extension RandomSource: OperatorArgument {
  func push() {
    unsafe ctorch_push_generator(handle)
    extendLifetime(self)
  }
  var summary: String { "random source" }
}

@available(*, unavailable)
extension RandomSource: Sendable {}
