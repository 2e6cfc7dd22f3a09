import MoECore
import MoEModels
import MoETensor

/// Weights of another source, in the type and on the device of training; selection biases stay f32, because their
/// steps are smaller than the digits of narrow types.
final class TrainableWeights: WeightSource {
  private let source: any WeightSource
  private let dtype: DType
  private let device: Device

  init(_ source: any WeightSource, dtype: DType, device: Device) {
    (self.source, self.dtype, self.device) = (source, dtype, device)
  }

  func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    let weight = try source.weight(name, shape, start: start)
    return converted(weight, to: LanguageTask.isSelectionBias(name) ? .f32 : dtype)
  }

  func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    try source.expertWeights(projection, of: block, experts: experts, shape: shape)
      .map { converted($0, to: dtype) }
  }

  private func converted(_ weight: Parameter, to dtype: DType) -> Parameter {
    Parameter(weight.value.cast(to: dtype).moved(to: device))
  }
}

/// Counts the weights of a model instead of making them.
final class CountedWeights: WeightSource {
  /// Numbers in all weights, at most `Int.max`.
  private(set) var count = 0

  func weight(_ name: String, _ shape: [Int], start: WeightStart) -> Parameter {
    add(shape)
    // Models look at the number of axes when they are built.
    return Parameter(Tensor.zeros(shape.map { _ in 0 }))
  }

  func expertWeights(
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
