import CKernels
public import MoECore

extension GGUFTensorType {
  /// The format of a packed weight that holds the same numbers; `nil` for plain elements, and for blocks whose groups are
  /// smaller than those of packed weights.
  public var packedFormat: PackedFormat? {
    switch self {
    case .q4x0: PackedFormat(.symmetric, bits: 4, group: 32)
    case .q5x0: PackedFormat(.symmetric, bits: 5, group: 32)
    case .q8x0: PackedFormat(.symmetric, bits: 8, group: 32)
    case .q4x1, .q4k: PackedFormat(.affine, bits: 4, group: 32)
    case .q5x1, .q5k: PackedFormat(.affine, bits: 5, group: 32)
    case .iq4nl: PackedFormat(.iq4nl, bits: 4, group: 32)
    case .mxfp4: PackedFormat(.mxfp4, bits: 4, group: 32)
    case .f32, .f16, .bf16, .q2k, .q3k, .q6k: nil
    }
  }

  private var kernel: ckernels_gguf? {
    switch self {
    case .q4x0: CKERNELS_GGUF_Q4_0
    case .q4x1: CKERNELS_GGUF_Q4_1
    case .q5x0: CKERNELS_GGUF_Q5_0
    case .q5x1: CKERNELS_GGUF_Q5_1
    case .q8x0: CKERNELS_GGUF_Q8_0
    case .q4k: CKERNELS_GGUF_Q4_K
    case .q5k: CKERNELS_GGUF_Q5_K
    case .iq4nl: CKERNELS_GGUF_IQ4_NL
    case .mxfp4: CKERNELS_GGUF_MXFP4
    case .f32, .f16, .bf16, .q2k, .q3k, .q6k: nil
    }
  }

  fileprivate var scaleType: DType {
    switch self {
    case .q4k, .q5k: .f32
    case .mxfp4: .u8
    default: .f16
    }
  }

  /// Moves blocks into the parts of a packed weight.
  fileprivate func move(
    _ blocks: UnsafeBufferPointer<UInt8>, to codes: Tensor, _ scales: Tensor, _ biases: Tensor?
  ) {
    defer { extendLifetime((codes, scales, biases)) }
    guard let kernel, let start = blocks.baseAddress,
      let target = unsafe codes.freshElements, let factors = unsafe scales.freshElements
    else { programmerError("\(self) cannot be packed") }
    let group = packedFormat?.group ?? 32
    let (bytes, count) = (blockBytes, blocks.count / blockBytes)
    let codeBytes = codes.byteCount.bytes / max(1, count)
    let scaleBytes = blockSize / group * scales.dtype.byteSize
    let offsets = unsafe biases?.freshElements
    Engine.parallel(count, grain: 1 << 12) { part in
      unsafe ckernels_gguf_pack(
        kernel, start + part.lowerBound * bytes, part.count,
        (target + part.lowerBound * codeBytes).assumingMemoryBound(to: UInt8.self),
        factors + part.lowerBound * scaleBytes,
        unsafe offsets.map { unsafe $0 + part.lowerBound * scaleBytes })
    }
  }
}

extension GGUFFile {
  /// A matrix, or one of several that are stored together, as a packed weight with the same numbers.
  ///
  /// - Parameters:
  ///   - name: Name of a tensor of two dimensions, or of three if a part is named.
  ///   - part: Which part along the first dimension; `nil` for the whole.
  ///   - activations: How the numbers that it meets are rounded in text generation.
  ///   - dtype: The type of a model's other numbers.
  /// - Returns: The packed weight; `nil` if the type of its blocks cannot be packed without a change.
  /// - Throws: `GGUFError` when there is no tensor of this name, ``PackedWeightError`` for scales that are not finite.
  public func packed(
    _ name: String, part: Int? = nil, activations: ActivationPrecision = .automatic,
    dtype: DType = .f32
  ) throws -> PackedWeight? {
    let entry = try tensor(named: name)
    let shape = Array(entry.shape.suffix(2))
    guard let format = entry.type.packedFormat, shape.count == 2,
      entry.shape.count == (part == nil ? 2 : 3)
    else { return nil }
    let size = part == nil ? entry.range.count : entry.range.count / entry.shape[0]
    let begin = entry.range.lowerBound + (part ?? 0) * size
    let codes = Tensor.uninitialized(
      [shape[0], format.rowBytes(inputs: shape[1]) / 4], dtype: .i32)
    let groups = [shape[0], format.rowGroups(inputs: shape[1])]
    let scales = Tensor.uninitialized(groups, dtype: entry.type.scaleType)
    let biases =
      format.hasBiases ? Tensor.uninitialized(groups, dtype: entry.type.scaleType) : nil
    defer { extendLifetime(file) }
    unsafe file.bytes[begin..<begin + size].withMemoryRebound(to: UInt8.self) { blocks in
      unsafe entry.type.move(blocks, to: codes, scales, biases)
    }
    return try PackedWeight(
      format, shape: shape, codes: codes, scales: scales, biases: biases, activations: activations,
      dtype: dtype)
  }
}
