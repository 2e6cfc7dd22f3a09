import CKernels
import MoECore

/// The part of one sequence in an attention over several: its new positions, and the keys and values of all.
package struct AttentionSequence {
  /// The queries of its last positions, among the rows of all sequences.
  package let rows: Range<Int>
  /// Shape `[keyHeads, capacity, width]`.
  fileprivate let keys: Tensor
  /// Shape `[keyHeads, capacity, width]`.
  fileprivate let values: Tensor
  fileprivate let positions: Int

  /// Describes a sequence, whose last positions are the rows.
  package init(rows: Range<Int>, keys: PositionStore, values: PositionStore) {
    guard let key = keys.elements, let value = values.elements,
      keys.count == values.count, keys.count >= rows.count, key.shape == value.shape
    else { programmerError("\(keys.count) keys and \(values.count) values for \(rows.count) rows") }
    (self.keys, self.values) = (key, value)
    (self.rows, positions) = (rows, keys.count)
  }
}

extension Tensor {
  /// Causal attention of several sequences, each to its own keys, without gradients.
  ///
  /// A query's answer does not depend on the other sequences, nor on how many queries are computed with it.
  ///
  /// - Parameters:
  ///   - query: Shape `[rows, heads, width]`.
  ///   - sequences: Their rows follow each other and are all rows of the queries.
  ///   - window: Positions that a query sees, itself included; `nil` for all.
  /// - Returns: Shape `[rows, heads, width]`.
  package static func attention(
    query: Tensor, over sequences: [AttentionSequence], window: Int?
  ) -> Tensor {
    precondition(
      sequences.reduce(0) { $1.rows.lowerBound == $0 ? $1.rows.upperBound : -1 } == query.size(0),
      "sequences that are not the \(query.size(0)) rows of the queries")
    if let pass = SequencesPass(query, sequences, window: window) { return pass.run() }
    let answers = sequences.map { sequence in
      attention(
        query: query[sequence.rows].transposed(0, 1).expandingAxis(0),
        key: sequence.keys.slice(axis: 1, 0..<sequence.positions).expandingAxis(0),
        value: sequence.values.slice(axis: 1, 0..<sequence.positions).expandingAxis(0),
        mask: .latest(window: window))[0].transposed(0, 1)
    }
    return concatenated(answers, axis: 0)
  }
}

/// One attention over several sequences by the kernels.
@safe private struct SequencesPass {
  private let query: Tensor
  private let sequences: [AttentionSequence]
  private let result: Tensor
  /// One description of work per sequence.
  private let works: [ckernels_attention]
  /// Pieces of all sequences before each one, and of all.
  private let starts: [Int]

  /// Checks types and memory layouts; `nil` if the kernels do not apply.
  init?(_ query: Tensor, _ sequences: [AttentionSequence], window: Int?) {
    let shape = query.shape
    let tensors = [query] + sequences.flatMap { [$0.keys, $0.values] }
    guard Tensor.suitKernels(tensors), query.dtype == .f32 || shape[2].isMultiple(of: 2) else {
      return nil
    }
    self.query = query.contiguous()
    self.sequences = sequences
    result = Tensor.uninitialized(shape, dtype: query.dtype)
    var starts = [0]
    var works = unsafe [ckernels_attention]()
    for sequence in sequences {
      guard var work = unsafe Self.work(sequence, self.query, window: window, into: result)
      else { return nil }
      let blocks = unsafe Engine.kernels.functions.attention_blocks(&work)
      unsafe works.append(work)
      starts.append(starts[starts.count - 1] + blocks)
    }
    unsafe (self.works, self.starts) = unsafe (works, starts)
  }

  private static func work(
    _ sequence: AttentionSequence, _ query: Tensor, window: Int?, into result: Tensor
  ) -> ckernels_attention? {
    let (shape, keyShape, keys) = (query.shape, sequence.keys.shape, sequence.positions)
    guard let q = unsafe query.hostElements, let y = unsafe result.freshElements,
      let k = unsafe sequence.keys.hostElements, let v = unsafe sequence.values.hostElements,
      keyShape[2] == shape[2], shape[1].isMultiple(of: keyShape[0]), keys < Int(Int32.max)
    else { return nil }
    let step = shape[1] * shape[2]
    let (offset, head) = (
      sequence.rows.lowerBound * step * query.dtype.byteSize, keyShape[1] * shape[2]
    )
    return unsafe ckernels_attention(
      sees_all: false, narrow: query.dtype == .bf16, batch: 1, heads: shape[1],
      key_heads: keyShape[0], width: shape[2], queries: sequence.rows.count, keys: keys,
      window: window.map { $0 >= keys ? 0 : $0 } ?? 0,
      scale: Float(1 / Double(shape[2]).squareRoot()), query: q + offset, key: k, value: v,
      query_batch: 0, query_head: shape[2], query_step: step, key_batch: 0, key_head: head,
      key_step: shape[2], value_batch: 0, value_head: head, value_step: shape[2],
      result: y + offset, log_sums: nil)
  }

  func run() -> Tensor {
    defer { extendLifetime(self) }
    let kernels = Engine.kernels
    unsafe works.withUnsafeBufferPointer { works in
      guard let works = works.baseAddress else { return }
      var scratch = 0
      for place in sequences.indices {
        scratch = unsafe max(scratch, kernels.functions.attention_scratch(works + place))
      }
      unsafe Engine.parallelPieces(starts[sequences.count], scratch: scratch) { piece, memory in
        let place = (starts.firstIndex { $0 > piece } ?? 1) - 1
        let own = piece - starts[place]
        unsafe kernels.functions.attention_run(works + place, own, own + 1, memory)
      }
    }
    return result
  }
}
