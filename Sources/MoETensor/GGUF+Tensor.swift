import CKernels
import CTorch
public import MoECore

extension GGUFFile {
  /// A tensor of this file: plain elements share the mapped bytes; blocks are decoded to f32.
  ///
  /// - Throws: `GGUFError` when there is no tensor of this name, ``TensorError`` when its storage
  ///   is invalid.
  public func elements(of name: String) throws -> Tensor {
    let entry = try tensor(named: name)
    return try elements(entry.type, entry.range, shape: entry.shape)
  }

  /// One part of a tensor along its first dimension, such as an expert's matrix, as ``elements(of:)`` has it; other parts
  /// are not read.
  ///
  /// - Parameters:
  ///   - index: Which part; it must exist.
  ///   - name: Name of a tensor of at least two dimensions.
  /// - Returns: A tensor with one dimension less.
  /// - Throws: As ``elements(of:)``.
  public func part(_ index: Int, of name: String) throws -> Tensor {
    let entry = try tensor(named: name)
    precondition(entry.shape.count > 1, "'\(name)' has no parts")
    precondition(0..<entry.shape[0] ~= index, "part \(index) of \(entry.shape[0])")
    let size = entry.range.count / entry.shape[0]
    let begin = entry.range.lowerBound + index * size
    return try elements(entry.type, begin..<begin + size, shape: Array(entry.shape.dropFirst()))
  }

  private func elements(
    _ type: GGUFTensorType, _ range: Range<Int>, shape: [Int]
  ) throws -> Tensor {
    if let dtype = type.dtype {
      return try Tensor(mapping: file, range: range, dtype: dtype, shape: shape)
    }
    let result = Tensor.uninitialized(shape, dtype: .f32)
    defer { extendLifetime((file, result)) }
    let values = unsafe result.withHandle { unsafe ctorch_tensor_elements($0) }
    guard
      let values = unsafe values.map({
        unsafe UnsafeMutableRawPointer(mutating: $0).assumingMemoryBound(to: Float.self)
      })
    else { programmerError("a new tensor has no elements") }
    unsafe file.bytes[range].withMemoryRebound(to: UInt8.self) { blocks in
      guard let blocks = blocks.baseAddress else { return }
      unsafe type.decode(blocks, into: values, count: range.count / type.blockBytes)
    }
    return result
  }
}

extension GGUFTensorType {
  /// Decodes `count` blocks into elements.
  @unsafe fileprivate func decode(
    _ blocks: UnsafePointer<UInt8>, into values: UnsafeMutablePointer<Float>, count: Int
  ) {
    switch self {
    case .q4x0: unsafe ckernels_gguf_q4_0(blocks, values, count)
    case .q4x1: unsafe ckernels_gguf_q4_1(blocks, values, count)
    case .q5x0: unsafe ckernels_gguf_q5_0(blocks, values, count)
    case .q5x1: unsafe ckernels_gguf_q5_1(blocks, values, count)
    case .q8x0: unsafe ckernels_gguf_q8_0(blocks, values, count)
    case .q2k: unsafe ckernels_gguf_q2_k(blocks, values, count)
    case .q3k: unsafe ckernels_gguf_q3_k(blocks, values, count)
    case .q4k: unsafe ckernels_gguf_q4_k(blocks, values, count)
    case .q5k: unsafe ckernels_gguf_q5_k(blocks, values, count)
    case .q6k: unsafe ckernels_gguf_q6_k(blocks, values, count)
    case .iq4nl: unsafe ckernels_gguf_iq4_nl(blocks, values, count)
    case .mxfp4: unsafe ckernels_gguf_mxfp4(blocks, values, count)
    case .f32, .f16, .bf16: programmerError("\(self) has no blocks")
    }
  }
}
