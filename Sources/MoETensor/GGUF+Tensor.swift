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
    if let dtype = entry.type.dtype {
      return try Tensor(mapping: file, range: entry.range, dtype: dtype, shape: entry.shape)
    }
    let result = Tensor.uninitialized(entry.shape, dtype: .f32)
    defer { extendLifetime((file, result)) }
    let values = unsafe result.withHandle { unsafe ctorch_tensor_elements($0) }
    guard
      let values = unsafe values.map({
        unsafe UnsafeMutableRawPointer(mutating: $0).assumingMemoryBound(to: Float.self)
      })
    else { programmerError("a new tensor has no elements") }
    unsafe file.bytes[entry.range].withMemoryRebound(to: UInt8.self) { blocks in
      guard let blocks = blocks.baseAddress else { return }
      unsafe entry.type.decode(blocks, into: values, count: entry.count / entry.type.blockSize)
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
    case .q8x0: unsafe ckernels_gguf_q8_0(blocks, values, count)
    case .f32, .f16, .bf16: programmerError("\(self) has no blocks")
    }
  }
}
