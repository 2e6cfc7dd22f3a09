import CKernels
import MoECore

extension Recurrence {
  /// ``runPlainly(_:_:_:)`` by a custom kernel, or `nil` if the kernel does not apply.
  ///
  /// A libtorch call costs as much as the arithmetic of a step, and a step would need about ten of
  /// them.
  func run(_ projections: Tensor, _ weight: Tensor, _ bias: Tensor) -> Tensor? {
    let inputs = [projections, weight, bias]
    guard hidden > 0,
      inputs.allSatisfy({ $0.dtype == .f32 && $0.device == .cpu })
    else { return nil }
    let isRecorded = Tensor.recordsGradients(inputs)
    let pass = withoutGradients {
      RecurrentPass(
        self, projections.contiguous(), weight.contiguous(), bias.contiguous(),
        keeps: isRecorded)
    }
    guard let value = withoutGradients({ pass.forward() }) else { return nil }
    guard isRecorded else { return value }
    return recorded([value], from: inputs) { gradients in
      guard let gradient = gradients[0] else { return inputs.map { _ in nil } }
      return pass.backward(gradient.contiguous())
    }[0]
  }
}

/// One forward pass and the state for its backward pass.
private final class RecurrentPass {
  private let sequences: Recurrence
  private let projections: Tensor
  private let weight: Tensor
  private let bias: Tensor
  private let lanes: Int
  private let blocks: [ckernels_recurrence_block]
  private let kept: Tensor?

  init(
    _ sequences: Recurrence, _ projections: Tensor, _ weight: Tensor, _ bias: Tensor, keeps: Bool
  ) {
    (self.sequences, self.projections) = (sequences, projections)
    (self.weight, self.bias) = (weight, bias)
    let count = sequences.order.count
    // Fill whole vectors, and give every thread work if there is enough.
    let share = (count + Engine.threadCount - 1) / Engine.threadCount
    let kernels = Engine.kernels
    let lanes = min(kernels.lanes, kernels.padded(share))
    let perStep = unsafe kernels.functions.recurrence_kept(sequences.hidden, lanes)
    var (blocks, next) = ([ckernels_recurrence_block](), 0)
    for first in stride(from: 0, to: count, by: lanes) {
      blocks.append(.init(first: first, count: min(lanes, count - first), kept: next))
      next += sequences.lengths[sequences.order[first]] * perStep
    }
    (self.lanes, self.blocks) = (lanes, blocks)
    kept = keeps ? Tensor.uninitialized([next], dtype: .f32) : nil
  }

  func forward() -> Tensor? {
    let last = Tensor.uninitialized([sequences.order.count, sequences.hidden], dtype: .f32)
    guard unsafe projections.hostElements != nil, unsafe weight.hostElements != nil,
      unsafe bias.hostElements != nil
    else { return nil }
    unsafe withWork(last: last) { work in
      let scratch = unsafe Engine.kernels.functions.recurrence_scratch(work)
      unsafe Engine.parallelPieces(blocks.count, scratch: scratch) {
        unsafe Engine.kernels.functions.recurrence_forward(work, $0, $1)
      }
    }
    return last
  }

  /// Gradients of the projections, the weight and the bias.
  func backward(_ gradient: Tensor) -> [Tensor?] {
    let (rows, hidden) = (projections.size(0), sequences.hidden)
    let inputs = Tensor.uninitialized([rows, 3 * hidden], dtype: .f32)
    let changes = Tensor.uninitialized([rows, 3 * hidden], dtype: .f32)
    let states = Tensor.uninitialized([rows, hidden], dtype: .f32)
    unsafe withWork(last: nil) { forward in
      let work = unsafe ckernels_recurrence_backward(
        forward: forward, gradient: gradient.floats, input_changes: inputs.freshFloats,
        state_changes: changes.freshFloats, states: states.freshFloats)
      unsafe withUnsafePointer(to: work) { work in
        let scratch = unsafe Engine.kernels.functions.recurrence_scratch(forward)
        unsafe Engine.parallelPieces(blocks.count, scratch: scratch) {
          unsafe Engine.kernels.functions.recurrence_backward_of(work, $0, $1)
        }
      }
    }
    extendLifetime(gradient)
    let product = changes.transposed().contiguous().linear(states.transposed().contiguous())
    return [inputs, product, changes.sum(axis: 0)]
  }

  private func withWork(last: Tensor?, _ body: (UnsafePointer<ckernels_recurrence>) -> Void) {
    defer { extendLifetime((projections, weight, bias, kept, last)) }
    let (lengths, starts) = (sequences.lengths, sequences.starts)
    unsafe sequences.order.withUnsafeBufferPointer { order in
      unsafe lengths.withUnsafeBufferPointer { lengths in
        unsafe starts.withUnsafeBufferPointer { starts in
          unsafe blocks.withUnsafeBufferPointer { blocks in
            let work = unsafe ckernels_recurrence(
              hidden: sequences.hidden, lanes: lanes, projections: projections.floats,
              weight: weight.floats, bias: bias.floats,
              order: order.baseAddress, starts: starts.baseAddress, lengths: lengths.baseAddress,
              blocks: blocks.baseAddress, last: last?.freshFloats, kept: kept?.freshFloats)
            unsafe withUnsafePointer(to: work) { unsafe body($0) }
          }
        }
      }
    }
  }
}
