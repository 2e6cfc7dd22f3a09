package import CKernels
public import MoECore

/// A weight whose numbers are codes of a few bits, in the layout that MLX uses.
///
/// Products read the codes in place. Sums are f32; results have the type of the inputs.
public struct PackedWeight {
  /// How numbers are stored.
  public let format: PackedFormat
  /// Outputs and inputs.
  public let shape: [Int]
  /// The codes: each row a little-endian stream, `[outputs, bytes]` in bytes or in 32-bit words.
  public let codes: Tensor
  /// `[outputs, groups]`.
  public let scales: Tensor
  /// The same shape and type; only for affine codes.
  public let biases: Tensor?
  /// The input of each place in a row, i64 `[inputs]`; `nil` if they are in order.
  public let order: Tensor?
  /// How the numbers that it meets are rounded in text generation.
  public private(set) var activations: ActivationPrecision
  /// The type that products compute with, and what a model's other numbers have.
  public let dtype: DType
  private let scaleType: ckernels_scale
  /// Whether prompts are multiplied with rounded numbers, too, and not with weights in bf16.
  private(set) var isPrecise = false

  /// Wraps stored tensors without copying them, if they are contiguous on the CPU.
  ///
  /// - Parameters:
  ///   - format: How numbers are stored.
  ///   - shape: Outputs and inputs, both above 0.
  ///   - codes: As many bytes per output as the format has.
  ///   - scales: f32, bf16 or f16, finite; for MXFP4 exponents in bytes, below 255.
  ///   - biases: The same shape and type; for affine codes, and no others.
  ///   - order: The input of each place in a row, each once; `nil` if they are in order.
  ///   - activations: How the numbers that it meets are rounded in text generation.
  ///   - dtype: The type of a model's other numbers.
  /// - Throws: ``PackedWeightError`` when the parts do not fit together.
  public init(
    _ format: PackedFormat, shape: [Int], codes: Tensor, scales: Tensor, biases: Tensor? = nil,
    order: Tensor? = nil, activations: ActivationPrecision = .automatic, dtype: DType = .f32
  ) throws(PackedWeightError) {
    (self.format, self.shape, self.dtype) = (format, shape, dtype)
    (self.codes, self.scales) = (codes.contiguous(), scales.contiguous())
    (self.biases, self.order, self.activations) = (biases?.contiguous(), order, activations)
    precondition(shape.count == 2 && shape[0] > 0 && shape[1] > 0, "a packed weight of \(shape)")
    let bytes = shape[0] * format.rowBytes(inputs: shape[1])
    guard codes.byteCount.bytes == bytes else {
      throw .wrongSize(part: "codes", bytes: codes.byteCount.bytes, expected: bytes)
    }
    let groups = [shape[0], format.rowGroups(inputs: shape[1])]
    guard scales.shape == groups else {
      throw .wrongShape(part: "scales", found: scales.shape, expected: groups)
    }
    guard (biases != nil) == format.hasBiases else {
      throw .biases(expected: format.hasBiases)
    }
    if let biases, biases.shape != groups || biases.dtype != scales.dtype {
      throw .wrongShape(part: "biases", found: biases.shape, expected: groups)
    }
    guard let type = Self.scaleType(scales.dtype, format) else {
      throw .wrongType(part: "scales", found: scales.dtype)
    }
    scaleType = type
    for (part, tensor) in [("scales", scales), ("biases", biases)] {
      guard let tensor else { continue }
      guard Self.areFinite(tensor.contiguous(), type) else { throw .notFinite(part: part) }
    }
  }

  private static func scaleType(_ dtype: DType, _ format: PackedFormat) -> ckernels_scale? {
    if format.codes == .mxfp4 { return dtype == .u8 ? CKERNELS_SCALE_E8M0 : nil }
    return switch dtype {
    case .f32: CKERNELS_SCALE_F32
    case .bf16: CKERNELS_SCALE_BF16
    case .f16: CKERNELS_SCALE_F16
    default: nil
    }
  }

  private static func areFinite(_ tensor: Tensor, _ type: ckernels_scale) -> Bool {
    defer { extendLifetime(tensor) }
    return unsafe ckernels_scales_are_finite(type, tensor.hostElements, tensor.count)
  }

  /// Where the weight is.
  public var device: Device { codes.device }

  /// Bits to which the numbers that it meets are rounded in text generation.
  public var roundedBits: Int { activations.isFine(bits: format.bits) ? 16 : 8 }

  /// Bytes of all parts.
  public var byteCount: ByteCount {
    ByteCount(
      codes.byteCount.bytes + scales.byteCount.bytes + (biases?.byteCount.bytes ?? 0))
  }

  /// Bytes that a product reads for one output.
  package var outputBytes: Int {
    format.rowBytes(inputs: shape[1])
      + format.rowGroups(inputs: shape[1]) * scales.dtype.byteSize * (biases == nil ? 1 : 2)
  }

  /// The same weight for a layer that decides, as a router does: numbers are rounded to 16 bits whatever its width, and
  /// prompts do not round it to bf16 either.
  public func precise() -> PackedWeight {
    var copy = self
    (copy.isPrecise, copy.activations) = (true, .exact)
    return copy
  }

  /// Describes the weight to a kernel; the caller keeps the weight alive.
  package var description: ckernels_quantized? {
    guard let start = unsafe codes.hostElements, let scales = unsafe scales.hostElements else {
      return nil
    }
    let biases = unsafe biases?.hostElements
    guard unsafe self.biases == nil || biases != nil else { return nil }
    return unsafe ckernels_quantized(
      kind: format.codes.kernel, bits: CInt(format.bits),
      group_shift: CInt(format.group.trailingZeroBitCount), scale_type: scaleType,
      fine: activations.isFine(bits: format.bits), inputs: shape[1],
      row_bytes: format.rowBytes(inputs: shape[1]),
      row_groups: format.rowGroups(inputs: shape[1]),
      codes: start.assumingMemoryBound(to: UInt8.self), scales: scales, biases: biases)
  }

  /// The numbers, f32.
  ///
  /// - Returns: Shape `[outputs, inputs]`.
  public func dequantized() -> Tensor { rows(0..<shape[0]) }

  /// The numbers of some outputs, f32.
  ///
  /// - Parameter range: Outputs, within the weight.
  /// - Returns: Shape `[outputs, inputs]`.
  public func rows(_ range: Range<Int>) -> Tensor {
    require(range.lowerBound >= 0 && range.upperBound <= shape[0], "rows \(range) of \(shape)")
    let result = Tensor.uninitialized([range.count, shape[1]], dtype: .f32)
    defer { extendLifetime((self, result)) }
    guard !range.isEmpty else { return result }
    guard let work = unsafe description, let to = unsafe result.freshFloats else {
      programmerError("a packed weight is not on the CPU")
    }
    let inputs = shape[1]
    Engine.parallel(range.count, grain: Tensor.rowGrain(width: inputs)) { part in
      unsafe withUnsafePointer(to: work) {
        unsafe Engine.kernels.functions.quantized_rows(
          $0, range.lowerBound + part.lowerBound, range.lowerBound + part.upperBound,
          to + part.lowerBound * inputs)
      }
    }
    guard let order else { return result }
    // Places into inputs.
    let places = order.array(of: Int64.self)
    var inverse = places
    for (place, input) in places.enumerated() { inverse[Int(input)] = Int64(place) }
    return result.transposed(0, 1).selecting(Tensor(inverse)).transposed(0, 1).contiguous()
  }
}

@available(*, unavailable)
extension PackedWeight: Sendable {}

extension PackedFormat.Codes {
  /// The kernels' name.
  var kernel: ckernels_kind {
    switch self {
    case .affine: CKERNELS_AFFINE
    case .symmetric: CKERNELS_SYMMETRIC
    case .mxfp4: CKERNELS_FP4
    case .iq4nl: CKERNELS_NL4
    }
  }
}

/// Parts of a packed weight that do not fit together.
public enum PackedWeightError: Error, Hashable, CustomStringConvertible {
  /// A part has the wrong number of bytes.
  case wrongSize(part: String, bytes: Int, expected: Int)
  /// A part has the wrong shape.
  case wrongShape(part: String, found: [Int], expected: [Int])
  /// A part has a type that it cannot have.
  case wrongType(part: String, found: DType)
  /// Biases are missing, or there must be none.
  case biases(expected: Bool)
  /// A scale or bias is infinite or not a number.
  case notFinite(part: String)

  /// What is wrong, and what was expected.
  public var description: String {
    switch self {
    case .wrongSize(let part, let bytes, let expected):
      "its \(part) have \(bytes) bytes; expected \(expected)"
    case .wrongShape(let part, let found, let expected):
      "its \(part) have the shape \(found); expected \(expected)"
    case .wrongType(let part, let found):
      "its \(part) are \(found); expected f32, bf16 or f16, or u8 for MXFP4"
    case .biases(let expected): expected ? "its biases are missing" : "it must not have biases"
    case .notFinite(let part):
      "one of its \(part) is infinite or not a number; the file is damaged, or was quantized from such weights"
    }
  }
}
