import MoECore

/// oneDNN's product, without its optional fused operation; builds of libtorch for other processors
/// lack it.
private let product = try? Operator(finding: "mkldnn::_linear_pointwise", "")

extension Tensor {
  /// The fewest multiplications; below, the general product has less overhead.
  private static let leastMultiplications = 1 << 21

  /// `x · weightᵀ + bias` in f32 by oneDNN, which is fast on processors of every vendor.
  ///
  /// By default, libtorch uses a library for f32 that runs at half the speed on processors of
  /// other vendors; for bf16 it uses oneDNN anyway.
  ///
  /// - Parameters:
  ///   - weight: Shape `[outputs, inputs]`.
  ///   - bias: Shape `[outputs]`.
  /// - Returns: Shape `[…, outputs]` for this tensor's shape `[…, inputs]`, or `nil` if the general
  ///   product is better.
  func oneDNNLinear(_ weight: Tensor, bias: Tensor?) -> Tensor? {
    guard dtype == .f32, weight.dtype == .f32, weight.rank == 2,
      bias.map({ $0.dtype == .f32 }) ?? true,
      let product, count * weight.size(0) >= Self.leastMultiplications, device == .cpu
    else { return nil }
    require(
      size(-1) == weight.size(1), "a linear layer of \(weight.shape) applied to \(shape)")
    guard Tensor.recordsGradients([self, weight] + (bias.map { [$0] } ?? [])) else {
      return Self.multiplied(product, self, weight, bias)
    }
    let input = reshaped([-1, weight.size(1)])
    let value = withoutGradients { Self.multiplied(product, input, weight, bias) }
    let (needsInput, needsWeight) = (input.requiresGradient, weight.requiresGradient)
    let inputs = [input, weight] + (bias.map { [$0] } ?? [])
    let result = recorded([value], from: inputs) { gradients in
      guard let gradient = gradients[0] else { return inputs.map { _ in nil } }
      var found = [
        needsInput ? Self.multiplied(product, gradient, weight.transposed(), nil) : nil,
        needsWeight
          ? Self.multiplied(product, gradient.transposed().contiguous(), input.transposed(), nil)
          : nil,
      ]
      if bias != nil { found.append(gradient.sum(axis: 0)) }
      return found
    }
    return result[0].reshaped(shape.dropLast() + [weight.size(0)])
  }

  private static func multiplied(
    _ product: Operator, _ x: Tensor, _ weight: Tensor, _ bias: Tensor?
  ) -> Tensor {
    product(x, weight, bias, "none", NoNumbers(), "")
  }
}
