import CKernels
import MoECore

extension Tensor {
  /// Attention with ``AttentionMask/latest(window:)``, or to all keys, by a custom kernel; `nil` if
  /// the kernel does not apply.
  ///
  /// - Parameters:
  ///   - query: Shape `[batch, heads, queries, width]`.
  ///   - key: Shape `[batch, keyHeads, keys, width]`.
  ///   - value: Shape `[batch, keyHeads, keys, width]`.
  ///   - window: The number of keys that a query sees.
  ///   - seesAll: Whether every query sees every key; then there is no window.
  ///   - scale: Factor applied to the scores.
  /// - Returns: Shape `[batch, heads, queries, width]`, with each position's heads adjacent in
  ///   memory.
  static func attentionKernel(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, window: Int? = nil, seesAll: Bool = false,
    scale: Double?
  ) -> Tensor? {
    let (shape, keyShape) = (query.shape, key.shape)
    guard suitKernels([query, key, value]), query.count > 0, shape[1].isMultiple(of: keyShape[1]),
      keyShape == value.shape, keyShape[0] == shape[0], keyShape[3] == shape[3],
      keyShape[2] > 0, seesAll || keyShape[2] >= shape[2], keyShape[2] < Int(Int32.max)
    else { return nil }
    let isNarrow = query.dtype == .bf16
    guard let q = unsafe query.stridedElements, let k = unsafe key.stridedElements,
      let v = unsafe value.stridedElements
    else { return nil }
    for strides in unsafe [q.strides, k.strides, v.strides] {
      guard strides[3] == 1, !isNarrow || strides[0..<3].allSatisfy({ $0.isMultiple(of: 2) }) else {
        return nil
      }
    }
    guard !isNarrow || shape[3].isMultiple(of: 2) else { return nil }
    let result = uninitialized([shape[0], shape[2], shape[1], shape[3]], dtype: query.dtype)
    guard let y = unsafe result.freshElements else { return nil }
    defer { extendLifetime((query, key, value, result)) }
    let work = unsafe ckernels_attention(
      sees_all: seesAll, narrow: isNarrow, batch: shape[0], heads: shape[1],
      key_heads: keyShape[1], width: shape[3],
      queries: shape[2], keys: keyShape[2], window: window.map { $0 >= keyShape[2] ? 0 : $0 } ?? 0,
      scale: Float(scale ?? 1 / Double(shape[3]).squareRoot()), query: q.start, key: k.start,
      value: v.start, query_batch: q.strides[0], query_head: q.strides[1], query_step: q.strides[2],
      key_batch: k.strides[0], key_head: k.strides[1], key_step: k.strides[2],
      value_batch: v.strides[0], value_head: v.strides[1], value_step: v.strides[2], result: y)
    unsafe withUnsafePointer(to: work) { work in
      let scratch = unsafe Engine.kernels.functions.attention_scratch(work)
      unsafe Engine.parallelPieces(Engine.kernels.functions.attention_blocks(work), scratch: scratch) {
        unsafe Engine.kernels.functions.attention_run(work, $0, $0 + 1, $1)
      }
    }
    return result.transposed(1, 2)
  }
}
