import CKernels
import MoECore
import MoERouting
import MoETensor

/// Training: the forward pass keeps the products before the activation, and one kernel per expert goes back.
extension ExpertKernel {
  /// ``run(_:_:_:)`` with recording; f32 and sizes in whole vectors only.
  func runWithGradients(
    _ x: Tensor, _ dispatch: Dispatch, _ byToken: Dispatch.ByToken, _ experts: [FeedForward],
    isRecorded: Bool
  ) -> Tensor? {
    guard dtype == .f32, hidden.isMultiple(of: 16), inner.isMultiple(of: 16),
      let pointers = ExpertPointers(experts, counts: dispatch.counts)
    else { return nil }
    let pass = ExpertPass(
      kernel: self, input: x.contiguous(), dispatch: dispatch, byToken: byToken,
      weights: byToken.weights.cast(to: .f32).contiguous(),
      blocks: Self.blocks(dispatch.counts), pointers: pointers)
    guard let value = withoutGradients({ pass.forward() }) else { return nil }
    guard isRecorded else { return value }
    let busy = experts.indices.filter { dispatch.counts[$0] > 0 }
    let matrices = dispatch.busyMatrices(of: experts)
    return recorded([value], from: [pass.input, pass.weights] + matrices) { gradients in
      guard let gradient = gradients[0]?.contiguous() else {
        return [nil, nil] + matrices.map { _ in nil }
      }
      return pass.backward(gradient, busy: busy)
    }[0]
  }
}

/// One forward pass and what its backward pass needs.
private final class ExpertPass {
  let kernel: ExpertKernel
  let input: Tensor
  let dispatch: Dispatch
  let byToken: Dispatch.ByToken
  /// The factors beside `byToken.places`.
  let weights: Tensor
  let blocks: [ckernels_block]
  let pointers: ExpertPointers
  private let kept: ExpertKernel.Kept

  init(
    kernel: ExpertKernel, input: Tensor, dispatch: Dispatch, byToken: Dispatch.ByToken,
    weights: Tensor, blocks: [ckernels_block], pointers: ExpertPointers
  ) {
    (self.kernel, self.input, self.dispatch, self.byToken) = (kernel, input, dispatch, byToken)
    (self.weights, self.blocks, self.pointers) = (weights, blocks, pointers)
    let lanes = blocks.last.map { $0.lane + ($0.count + 15) / 16 * 16 } ?? 0
    func values() -> Tensor { Tensor.uninitialized([lanes, kernel.inner], dtype: .f32) }
    kept = ExpertKernel.Kept(gate: kernel.isGated ? values() : nil, up: values())
  }

  func forward() -> Tensor? {
    kernel.runRows(input, dispatch, byToken, weights, blocks, pointers, kept: kept)
  }

  /// Gradients of the input, of the factors, and of the busy experts' matrices.
  func backward(_ gradient: Tensor, busy: [Int]) -> [Tensor?] {
    let (hidden, inner, assignments) = (kernel.hidden, kernel.inner, dispatch.rows.count)
    let matrices = busy.map { _ in
      (
        gate: kernel.isGated ? Tensor.uninitialized([inner, hidden], dtype: .f32) : nil,
        up: Tensor.uninitialized([inner, hidden], dtype: .f32),
        down: Tensor.uninitialized([hidden, inner], dtype: .f32)
      )
    }
    let rows = Tensor.uninitialized([assignments, hidden], dtype: .f32)
    let factors = Tensor.uninitialized([assignments], dtype: .f32)
    var lists = unsafe (
      gate: [UnsafeMutablePointer<Float>?](repeating: nil, count: dispatch.counts.count),
      up: [UnsafeMutablePointer<Float>?](repeating: nil, count: dispatch.counts.count),
      down: [UnsafeMutablePointer<Float>?](repeating: nil, count: dispatch.counts.count)
    )
    for (place, expert) in busy.enumerated() {
      unsafe lists.gate[expert] = matrices[place].gate?.freshNumbers
      unsafe lists.up[expert] = matrices[place].up.freshNumbers
      unsafe lists.down[expert] = matrices[place].down.freshNumbers
    }
    unsafe run(gradient, lists.gate, lists.up, lists.down, busy, rows: rows, factors: factors)
    let byPlace = factors.array(of: Float.self)
    let ordered = Tensor(byToken.places.map { byPlace[Int($0)] })
    let found: [Tensor] = matrices.flatMap { ($0.gate.map { [$0] } ?? []) + [$0.up, $0.down] }
    return [summed(rows), ordered] + found
  }

  private func run(
    _ gradient: Tensor, _ gate: [UnsafeMutablePointer<Float>?],
    _ up: [UnsafeMutablePointer<Float>?],
    _ down: [UnsafeMutablePointer<Float>?], _ busy: [Int], rows: Tensor, factors: Tensor
  ) {
    guard let x = unsafe input.hostElements else {
      preconditionFailure("the input of a forward pass has moved")
    }
    defer { extendLifetime((gradient, input, rows, factors)) }
    let values = weights.array(of: Float.self)
    var sorted = [Float](repeating: 0, count: values.count)
    for (choice, place) in byToken.places.enumerated() { sorted[Int(place)] = values[choice] }
    var starts = [Int](repeating: 0, count: dispatch.counts.count + 1)
    for block in blocks { starts[block.expert + 1] += 1 }
    for expert in dispatch.counts.indices { starts[expert + 1] += starts[expert] }
    unsafe kernel.withWork(x, dispatch, blocks, pointers, answers: nil, kept: kept) { forward in
      unsafe sorted.withUnsafeBufferPointer { sorted in
        unsafe starts.withUnsafeBufferPointer { starts in
          unsafe withPointers(gate, up, down) { gate, up, down in
            let work = unsafe ckernels_experts_backward(
              forward: forward, weights: sorted.baseAddress, gradient: gradient.numbers,
              starts: starts.baseAddress, gate: kernel.isGated ? gate : nil, up: up, down: down,
              weight_gradients: factors.freshNumbers, row_gradients: rows.freshNumbers)
            unsafe withUnsafePointer(to: work) { work in
              let scratch = unsafe ckernels_experts_backward_scratch(work)
              unsafe Engine.parallelPieces(busy.count, scratch: scratch) {
                unsafe ckernels_experts_backward_of(work, busy[$0], $1)
              }
            }
          }
        }
      }
    }
  }

  /// Adds up the gradients of each token's rows.
  private func summed(_ rows: Tensor) -> Tensor {
    let result = Tensor.uninitialized([dispatch.tokenCount, kernel.hidden], dtype: .f32)
    let ones = Tensor.ones([dispatch.rows.count])
    guard let target = unsafe result.freshElements, let factors = unsafe ones.hostElements else {
      preconditionFailure("new tensors that are not in memory")
    }
    defer { extendLifetime((result, ones)) }
    unsafe kernel.combine(rows, byToken, factors, tokens: dispatch.tokenCount, into: target)
    return result
  }
}

private typealias Pointers = UnsafePointer<UnsafeMutablePointer<Float>?>

private func withPointers(
  _ gate: [UnsafeMutablePointer<Float>?], _ up: [UnsafeMutablePointer<Float>?],
  _ down: [UnsafeMutablePointer<Float>?], _ body: (Pointers?, Pointers?, Pointers?) -> Void
) {
  unsafe gate.withUnsafeBufferPointer { gate in
    unsafe up.withUnsafeBufferPointer { up in
      unsafe down.withUnsafeBufferPointer { down in
        unsafe body(gate.baseAddress, up.baseAddress, down.baseAddress)
      }
    }
  }
}
