import MoECore

/// oneDNN's product, without its optional fused operation; builds of libtorch for other processors
/// lack it.
private let product = try? Operator(finding: "mkldnn::_linear_pointwise", "")
private let generalProduct = Operator("linear")

extension Tensor {
  /// `x · weightᵀ + bias` in f32 by oneDNN, which is fast on processors of every vendor; bf16
  /// numbers are widened before it and the result is rounded.
  ///
  /// By default, libtorch uses a library for f32 that runs at half the speed on processors of
  /// other vendors, and a plain loop for bf16 on processors that do not multiply it.
  ///
  /// - Parameters:
  ///   - weight: Shape `[outputs, inputs]`.
  ///   - bias: Shape `[outputs]`.
  /// - Returns: Shape `[…, outputs]` for this tensor's shape `[…, inputs]`, or `nil` if types
  ///   differ, or for other devices.
  func oneDNNLinear(_ weight: Tensor, bias: Tensor?) -> Tensor? {
    guard dtype == .f32 || dtype == .bf16, weight.dtype == dtype, weight.rank == 2,
      bias.map({ $0.dtype == dtype }) ?? true, device == .cpu
    else { return nil }
    require(
      size(-1) == weight.size(1), "a linear layer of \(weight.shape) applied to \(shape)")
    guard Tensor.recordsGradients([self, weight] + (bias.map { [$0] } ?? [])) else {
      return Self.multiplied(self, weight, bias)
    }
    let input = reshaped([-1, weight.size(1)])
    let value = withoutGradients { Self.multiplied(input, weight, bias) }
    let (needsInput, needsWeight) = (input.requiresGradient, weight.requiresGradient)
    let inputs = [input, weight] + (bias.map { [$0] } ?? [])
    let result = recorded([value], from: inputs) { gradients in
      guard let gradient = gradients[0] else { return inputs.map { _ in nil } }
      var found = [
        needsInput ? Self.multiplied(gradient, weight.transposed(), nil) : nil,
        needsWeight
          ? Self.multiplied(gradient.transposed().contiguous(), input.transposed(), nil) : nil,
      ]
      if bias != nil { found.append(gradient.sum(axis: 0)) }
      return found
    }
    return result[0].reshaped(shape.dropLast() + [weight.size(0)])
  }

  /// The product in f32, in the type of `x`.
  private static func multiplied(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?) -> Tensor {
    let (left, right, offset) = (
      x.cast(to: .f32), weight.cast(to: .f32), bias?.cast(to: .f32)
    )
    let result =
      product.map { $0(left, right, offset, "none", NoNumbers(), "") }
      ?? generalProduct(left, right, offset)
    return result.cast(to: x.dtype)
  }
}
