import CKernels
import MoECore

extension Tensor {
  /// Attention with ``AttentionMask/latest(window:)``, or to all keys, by custom kernels; `nil` if
  /// they do not apply.
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
    let inputs = [query, key, value]
    guard haveKernelTypes(inputs), query.count > 0, shape[1].isMultiple(of: keyShape[1]),
      keyShape == value.shape, keyShape[0] == shape[0], keyShape[3] == shape[3],
      keyShape[2] > 0, seesAll || keyShape[2] >= shape[2], keyShape[2] < Int(Int32.max),
      query.dtype == .f32 || shape[3].isMultiple(of: 2)
    else { return nil }
    let pass = AttentionPass(
      query, key, value, window: window.map { $0 >= keyShape[2] ? 0 : $0 } ?? 0, seesAll: seesAll,
      scale: Float(scale ?? 1 / Double(shape[3]).squareRoot()), keeps: recordsGradients(inputs))
    return pass?.result(of: inputs).transposed(1, 2)
  }
}

/// One attention and what its backward pass needs.
private final class AttentionPass: KernelPass {
  private let query: Tensor
  private let key: Tensor
  private let value: Tensor
  private let window: Int
  private let seesAll: Bool
  private let scale: Float
  /// Shape `[batch, queries, heads, width]`.
  private let answers: Tensor
  /// Shape `[batch, heads, queries]`, for the backward pass.
  private let logSums: Tensor?

  /// Rows of a head must be contiguous, and even numbers apart for bf16; `nil` otherwise.
  init?(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, window: Int, seesAll: Bool, scale: Float,
    keeps: Bool
  ) {
    for tensor in [query, key, value] {
      guard let strides = unsafe tensor.stridedElements?.strides, strides[3] == 1,
        tensor.dtype == .f32 || strides[0..<3].allSatisfy({ $0.isMultiple(of: 2) })
      else { return nil }
    }
    (self.query, self.key, self.value) = (query, key, value)
    (self.window, self.seesAll, self.scale) = (window, seesAll, scale)
    let shape = query.shape
    answers = Tensor.uninitialized([shape[0], shape[2], shape[1], shape[3]], dtype: query.dtype)
    logSums = keeps ? Tensor.uninitialized(Array(shape[0..<3]), dtype: .f32) : nil
  }

  private func withWork(_ body: (UnsafePointer<ckernels_attention>) -> Void) {
    defer { extendLifetime(self) }
    guard let q = unsafe query.stridedElements, let k = unsafe key.stridedElements,
      let v = unsafe value.stridedElements
    else { preconditionFailure("the inputs of an attention have moved") }
    let (shape, keyShape) = (query.shape, key.shape)
    let work = unsafe ckernels_attention(
      sees_all: seesAll, narrow: query.dtype == .bf16, batch: shape[0], heads: shape[1],
      key_heads: keyShape[1], width: shape[3], queries: shape[2], keys: keyShape[2],
      window: window, scale: scale, query: q.start, key: k.start, value: v.start,
      query_batch: q.strides[0], query_head: q.strides[1], query_step: q.strides[2],
      key_batch: k.strides[0], key_head: k.strides[1], key_step: k.strides[2],
      value_batch: v.strides[0], value_head: v.strides[1], value_step: v.strides[2],
      result: answers.freshElements, log_sums: logSums?.freshFloats)
    unsafe withUnsafePointer(to: work) { unsafe body($0) }
  }

  func forward() -> Tensor {
    let kernels = Engine.kernels
    unsafe withWork { work in
      let scratch = unsafe kernels.functions.attention_scratch(work)
      unsafe Engine.parallelPieces(kernels.functions.attention_blocks(work), scratch: scratch) {
        unsafe kernels.functions.attention_run(work, $0, $0 + 1, $1)
      }
    }
    return answers
  }

  func backward(_ gradient: Tensor) -> [Tensor?] {
    let kernels = Engine.kernels
    // Positions before heads, like the answers.
    let found = [query, key, value].map { input in
      let shape = input.shape
      return Tensor.uninitialized([shape[0], shape[2], shape[1], shape[3]], dtype: input.dtype)
    }
    defer { extendLifetime((gradient, found)) }
    unsafe withWork { forward in
      let work = unsafe ckernels_attention_backward(
        forward: forward, gradient: gradient.hostElements, query_gradient: found[0].freshElements,
        key_gradient: found[1].freshElements, value_gradient: found[2].freshElements)
      unsafe withUnsafePointer(to: work) { work in
        let scratch = unsafe kernels.functions.attention_backward_scratch(work)
        unsafe Engine.parallelPieces(key.size(0) * key.size(1), scratch: scratch) {
          unsafe kernels.functions.attention_backward_of(work, $0, $1)
        }
      }
    }
    return found.map { $0.transposed(1, 2) }
  }
}
