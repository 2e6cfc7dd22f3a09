import CKernels
public import MoECore

/// How a dense weight becomes codes.
public enum PackedRounding: String, Hashable, Codable, Sendable, CaseIterable {
  /// To nearest: the whole range of a group in equal steps, between scales that are rounded first.
  case nearest
  /// The codes, scales and biases of MLX, bit by bit.
  case mlx
}

extension PackedWeight {
  /// The type of scales where none is asked for: that of the weight, f32 for f64.
  public static func scaleType(for weight: DType) -> DType { weight == .f64 ? .f32 : weight }

  /// Rounds a dense weight, every number by itself.
  ///
  /// - Parameters:
  ///   - weight: A matrix on the CPU, f64, f32, bf16 or f16, finite.
  ///   - format: Affine or symmetric.
  ///   - rounding: The rule; MLX has one for affine codes only.
  ///   - scales: The type of scales and biases, f32, bf16 or f16; `nil` for ``scaleType(for:)``.
  ///   - activations: How the numbers that it meets are rounded in text generation.
  ///   - dtype: The type of a model's other numbers.
  /// - Returns: The packed weight.
  /// - Throws: ``PackedWeightError/notFinite(part:)`` if a number is not finite, or too large for the type of scales.
  /// - Complexity: O(elements).
  public static func rounded(
    _ weight: Tensor, to format: PackedFormat, _ rounding: PackedRounding = .nearest,
    scales: DType? = nil, activations: ActivationPrecision = .automatic, dtype: DType = .f32
  ) throws(PackedWeightError) -> PackedWeight {
    precondition(
      format.codes == .affine || format.codes == .symmetric && rounding == .nearest,
      "\(format) cannot be rounded by the rule '\(rounding.rawValue)'")
    let type = scales ?? scaleType(for: weight.dtype)
    let source = (weight.dtype == .bf16 ? weight : weight.cast(to: .f32)).contiguous()
    let (outputs, inputs) = (weight.size(0), weight.size(1))
    let words = format.rowBytes(inputs: inputs) / 4, groups = format.rowGroups(inputs: inputs)
    let codes = Tensor.uninitialized([outputs, words], dtype: .u32)
    let scales = Tensor.uninitialized([outputs, groups], dtype: type)
    let biases = format.hasBiases ? Tensor.uninitialized([outputs, groups], dtype: type) : nil
    defer { extendLifetime((source, codes, scales, biases)) }
    let work = unsafe ckernels_packing(
      kind: format.codes.kernel, bits: CInt(format.bits),
      group_shift: CInt(format.group.trailingZeroBitCount),
      scale_type: type == .f32
        ? CKERNELS_SCALE_F32 : type == .bf16 ? CKERNELS_SCALE_BF16 : CKERNELS_SCALE_F16,
      narrow: source.dtype == .bf16, mlx: rounding == .mlx, inputs: inputs,
      row_bytes: format.rowBytes(inputs: inputs), row_groups: groups,
      weight: source.hostElements,
      codes: codes.freshElements?.assumingMemoryBound(to: UInt8.self),
      scales: scales.freshElements, biases: biases?.freshElements)
    Engine.parallel(outputs, grain: Tensor.rowGrain(width: inputs)) { part in
      unsafe withUnsafePointer(to: work) {
        unsafe Engine.kernels.functions.quantized_round($0, part.lowerBound, part.upperBound)
      }
    }
    return try PackedWeight(
      format, shape: [outputs, inputs], codes: codes, scales: scales, biases: biases,
      activations: activations, dtype: dtype)
  }
}
