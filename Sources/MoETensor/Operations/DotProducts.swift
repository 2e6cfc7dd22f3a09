import CKernels
import MoECore

extension Tensor {
  /// The fewest bytes of weights for which an extra thread pays off.
  private static let smallestDotPart = 128 << 10

  /// `x · weightᵀ + bias` in f32 or bf16 by dot products of rows, for the few rows of text generation.
  ///
  /// Each weight is read once, in place. The sums of a row do not depend on the other rows. libtorch passes such
  /// products to a library whose generic kernel for processors of other vendors reads weights several times slower
  /// than memory allows.
  ///
  /// - Parameters:
  ///   - weight: Shape `[outputs, inputs]`.
  ///   - bias: Shape `[outputs]`.
  /// - Returns: Shape `[…, outputs]`, or `nil` if the kernel does not apply: gradients are recorded, or types or the
  ///   memory layout differ.
  func dotsLinear(_ weight: Tensor, bias: Tensor?) -> Tensor? {
    guard let layer = KernelLinear(self, weight, bias) else { return nil }
    let bytes = layer.inputs * dtype.byteSize
    return unsafe layer.run { work in
      Engine.parallel(layer.outputs, grain: Self.smallestDotPart / bytes) { part in
        unsafe Engine.kernels.functions.linear_dots(work, part.lowerBound, part.upperBound)
      }
    }
  }
}

/// A linear layer that the kernels can compute.
struct KernelLinear {
  let x: Tensor
  let weight: Tensor
  let bias: Tensor?
  let inputs: Int
  let outputs: Int
  let rows: Int

  /// Checks shapes and types; `nil` if the kernels do not apply.
  init?(_ x: Tensor, _ weight: Tensor, _ bias: Tensor?) {
    guard let inputs = x.shape.last, inputs > 0, x.count > 0, weight.rank == 2,
      weight.size(1) == inputs, Tensor.suitKernels([x, weight] + (bias.map { [$0] } ?? [])),
      bias.map({ $0.shape == [weight.size(0)] }) ?? true
    else { return nil }
    (self.x, self.weight) = (x.contiguous(), weight.contiguous())
    self.bias = bias?.contiguous()
    (self.inputs, outputs, rows) = (inputs, weight.size(0), x.count / inputs)
  }

  /// Describes the layer to a kernel; `nil` if a tensor is stored elsewhere.
  func run(_ body: (UnsafeMutablePointer<ckernels_linear>) -> Void) -> Tensor? {
    let result = Tensor.uninitialized(x.shape.dropLast() + [outputs], dtype: x.dtype)
    guard let elements = unsafe x.hostElements, let w = unsafe weight.hostElements,
      let y = unsafe result.freshElements
    else { return nil }
    let offsets = unsafe bias?.hostElements
    guard unsafe bias == nil || offsets != nil else { return nil }
    defer { extendLifetime((self, result)) }
    var work = unsafe ckernels_linear(
      narrow: x.dtype == .bf16, rows: rows, inputs: inputs, outputs: outputs, x: elements,
      weight: w, bias: offsets, packed: nil, result: y)
    unsafe body(&work)
    return result
  }
}
