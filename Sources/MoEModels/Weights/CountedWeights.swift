public import MoETensor

/// Counts and lists the weights that a model requests instead of creating them, before anything is
/// allocated.
public final class CountedWeights: WeightSource {
  /// Total number of parameters, at most `Int.max`.
  public private(set) var count = 0
  /// Names and shapes in the order in which they were requested; experts that are requested
  /// together are only counted.
  public private(set) var shapes: [(name: String, shape: [Int])] = []

  /// Starts without weights.
  public init() {}

  /// Counts a weight.
  public func weight(_ name: String, _ shape: [Int], start: WeightStart) -> Parameter {
    add(shape)
    shapes.append((name, shape))
    // Models read the number of axes when they are built.
    return Parameter(Tensor.zeros(shape.map { _ in 0 }))
  }

  /// Counts one projection of all experts.
  public func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) -> [Parameter] {
    add([experts] + shape)
    return []
  }

  private func add(_ shape: [Int]) {
    let product = shape.reduce(1) { product, size in
      let (next, overflow) = product.multipliedReportingOverflow(by: size)
      return overflow ? Int.max : next
    }
    let (sum, overflow) = count.addingReportingOverflow(product)
    count = overflow ? Int.max : sum
  }
}
