import MoECore

/// oneDNN's product with its options for a following operation, of which none is used; builds of libtorch
/// for other processors lack it.
private let product = try? Operator(finding: "mkldnn::_linear_pointwise", "")

extension Tensor {
  /// Multiplications below which the general product starts sooner.
  private static let leastMultiplications = 1 << 21

  /// `x · weightᵀ + bias` in f32 through oneDNN, which uses all of a processor whoever made it.
  ///
  /// libtorch's own choice for f32 is a library that on processors of other makers takes a path of half
  /// the speed; for bf16 it takes oneDNN anyway.
  ///
  /// - Parameters:
  ///   - weight: Shape `[outputs, inputs]`.
  ///   - bias: Shape `[outputs]`.
  /// - Returns: Shape `[…, outputs]` for this tensor's shape `[…, inputs]`, or `nil` where the general
  ///   product serves better.
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
