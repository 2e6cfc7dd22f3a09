import CKernels
import MoECore
import MoERouting
import MoETensor

/// Training: the forward pass keeps the products before the activation, and one kernel per expert
/// runs the backward pass.
extension KernelExperts {
  /// The outputs with a record for gradients; only for sizes that are whole vectors.
  func runWithGradients(
    _ x: Tensor, _ dispatch: Dispatch, _ byToken: Dispatch.ByToken
  ) -> Tensor? {
    guard hidden.isMultiple(of: Engine.kernels.width), inner.isMultiple(of: Engine.kernels.width),
      let pointers = ExpertPointers(experts, counts: dispatch.counts)
    else { return nil }
    let pass = ExpertPass(
      kernel: self, input: x.contiguous(), dispatch: dispatch, byToken: byToken,
      weights: byToken.weights.cast(to: .f32).contiguous(),
      blocks: Self.blocks(dispatch.counts), pointers: pointers)
    guard let value = withoutGradients({ pass.forward() }) else { return nil }
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
  let kernel: KernelExperts
  let input: Tensor
  let dispatch: Dispatch
  let byToken: Dispatch.ByToken
  /// The factors that belong to `byToken.places`.
  let weights: Tensor
  let blocks: [ckernels_block]
  let pointers: ExpertPointers
  private let kept: KernelExperts.Kept

  init(
    kernel: KernelExperts, input: Tensor, dispatch: Dispatch, byToken: Dispatch.ByToken,
    weights: Tensor, blocks: [ckernels_block], pointers: ExpertPointers
  ) {
    (self.kernel, self.input, self.dispatch, self.byToken) = (kernel, input, dispatch, byToken)
    (self.weights, self.blocks, self.pointers) = (weights, blocks, pointers)
    let lanes = blocks.last.map { $0.lane + Engine.kernels.padded($0.count) } ?? 0
    func values() -> Tensor { Tensor.uninitialized([lanes, kernel.inner], dtype: .f32) }
    kept = KernelExperts.Kept(gate: kernel.isGated ? values() : nil, up: values())
  }

  func forward() -> Tensor? {
    kernel.runRows(input, dispatch, byToken, weights, blocks, pointers, kept: kept)
  }

  /// Gradients of the input, of the factors, and of the busy experts' matrices and biases.
  func backward(_ gradient: Tensor, busy: [Int]) -> [Tensor?] {
    let (hidden, assignments) = (kernel.hidden, dispatch.rows.count)
    let found = busy.map { _ in ExpertGradients(kernel) }
    let rows = Tensor.uninitialized([assignments, hidden], dtype: .f32)
    let factors = Tensor.uninitialized([assignments], dtype: .f32)
    let lists = GradientPointers(experts: dispatch.counts.count)
    for (place, expert) in busy.enumerated() { lists.set(expert, found[place]) }
    run(gradient, lists, busy, rows: rows, factors: factors)
    let byPlace = factors.array(of: Float.self)
    let ordered = Tensor(byToken.places.map { byPlace[Int($0)] })
    return [summed(rows), ordered] + found.flatMap(\.all).map { $0.cast(to: kernel.dtype) }
  }

  private func run(
    _ gradient: Tensor, _ lists: GradientPointers, _ busy: [Int], rows: Tensor, factors: Tensor
  ) {
    guard let x = unsafe input.hostElements else {
      preconditionFailure("the input of a forward pass has moved")
    }
    defer { extendLifetime((gradient, input, rows, factors, lists)) }
    let values = weights.array(of: Float.self)
    var sorted = [Float](repeating: 0, count: values.count)
    for (choice, place) in byToken.places.enumerated() { sorted[Int(place)] = values[choice] }
    var starts = [Int](repeating: 0, count: dispatch.counts.count + 1)
    for block in blocks { starts[block.expert + 1] += 1 }
    for expert in dispatch.counts.indices { starts[expert + 1] += starts[expert] }
    unsafe kernel.withWork(x, dispatch, blocks, pointers, answers: nil, kept: kept) { forward in
      unsafe sorted.withUnsafeBufferPointer { sorted in
        unsafe starts.withUnsafeBufferPointer { starts in
          let work = unsafe ckernels_experts_backward(
            forward: forward, weights: sorted.baseAddress, gradient: gradient.hostElements,
            starts: starts.baseAddress, gate: kernel.isGated ? lists.list(0) : nil,
            up: lists.list(1), down: lists.list(2), up_bias: kernel.hasBias ? lists.list(3) : nil,
            down_bias: kernel.hasBias ? lists.list(4) : nil,
            weight_gradients: factors.freshFloats, row_gradients: rows.freshFloats)
          unsafe withUnsafePointer(to: work) { work in
            let scratch = unsafe Engine.kernels.functions.experts_backward_scratch(work)
            unsafe Engine.parallelPieces(busy.count, scratch: scratch) {
              unsafe Engine.kernels.functions.experts_backward_of(work, busy[$0], $1)
            }
          }
        }
      }
    }
  }

  /// Adds up the gradients of each token's rows.
  private func summed(_ rows: Tensor) -> Tensor {
    byToken.combined(
      rows, weights: Tensor.ones([dispatch.rows.count]), tokens: dispatch.tokenCount,
      as: kernel.dtype)
  }
}

/// Buffers for the gradients of one expert.
private struct ExpertGradients {
  let gate: Tensor?
  let up: Tensor
  let down: Tensor
  let upBias: Tensor?
  let downBias: Tensor?

  init(_ kernel: KernelExperts) {
    let (hidden, inner) = (kernel.hidden, kernel.inner)
    gate = kernel.isGated ? Tensor.uninitialized([inner, hidden], dtype: .f32) : nil
    up = Tensor.uninitialized([inner, hidden], dtype: .f32)
    down = Tensor.uninitialized([hidden, inner], dtype: .f32)
    upBias = kernel.hasBias ? Tensor.uninitialized([inner], dtype: .f32) : nil
    downBias = kernel.hasBias ? Tensor.uninitialized([hidden], dtype: .f32) : nil
  }

  /// In the order of `busyMatrices(of:)`.
  var all: [Tensor] { [gate, up, down, upBias, downBias].compactMap(\.self) }
}

/// Five lists of addresses, one entry per expert: of gate, up, down and the two biases.
@safe private final class GradientPointers {
  private let start: UnsafeMutablePointer<UnsafeMutablePointer<Float>?>
  private let experts: Int

  init(experts: Int) {
    self.experts = experts
    unsafe start = .allocate(capacity: 5 * experts)
    unsafe start.initialize(repeating: nil, count: 5 * experts)
  }

  deinit { unsafe start.deallocate() }

  func set(_ expert: Int, _ gradients: ExpertGradients) {
    let tensors = [
      gradients.gate, gradients.up, gradients.down, gradients.upBias, gradients.downBias,
    ]
    for (place, tensor) in tensors.enumerated() {
      unsafe start[place * experts + expert] = tensor?.freshFloats
    }
  }

  func list(_ place: Int) -> UnsafePointer<UnsafeMutablePointer<Float>?> {
    unsafe UnsafePointer(start + place * experts)
  }
}
