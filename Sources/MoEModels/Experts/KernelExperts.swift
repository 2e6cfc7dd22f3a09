import CKernels
import MoECore
import MoERouting
import MoETensor

/// Feed-forward experts of one shape, run by Switchyard's kernels: all experts of a layer in one
/// call.
///
/// Rows are gathered, multiplied and scattered back without copies of weights, padding or starting
/// threads per expert; sums are f32 for bf16, too, and every run adds in the same order.
struct KernelExperts: ExpertBank {
  /// The experts with dense weights, in the order of the gate's columns.
  let experts: [DenseExpert]
  let hidden: Int
  let inner: Int
  let dtype: DType
  let isGated: Bool
  let hasBias: Bool
  let activation: ckernels_activation

  /// The fallback for what the kernels do not support.
  private let slices: SlicedExperts

  /// Checks whether the kernels support these experts: dense weights of equal shapes, f32 or bf16,
  /// biases only without a gate, and an activation that they know.
  init?(_ experts: [FeedForward]) {
    guard let first = experts.first,
      let activation = first.activation.kernel, let up = first.up.denseWeight, up.shape.count == 2
    else { return nil }
    self.activation = activation
    self.experts = experts.compactMap(DenseExpert.init)
    (inner, hidden, dtype) = (up.shape[0], up.shape[1], up.dtype)
    (isGated, hasBias) = (first.gate != nil, first.up.bias != nil)
    slices = SlicedExperts(experts, outputs: hidden)
    guard !(hasBias && isGated),
      dtype == .f32 || dtype == .bf16 && hidden.isMultiple(of: 2) && inner.isMultiple(of: 2),
      self.experts.count == experts.count, experts.allSatisfy(fits)
    else { return nil }
  }

  private func fits(_ expert: FeedForward) -> Bool {
    func fits(_ linear: Linear, _ shape: [Int]) -> Bool {
      guard let weight = linear.denseWeight else { return false }
      let bias = linear.bias?.value
      return (bias != nil) == hasBias && weight.shape == shape && weight.dtype == dtype
        && bias.map { $0.shape == [shape[0]] && $0.dtype == dtype } ?? true
    }
    return expert.activation.kernel == activation && (expert.gate != nil) == isGated
      && expert.gate.map { fits($0, [inner, hidden]) } ?? true
      && fits(expert.up, [inner, hidden]) && fits(expert.down, [hidden, inner])
  }

  var count: Int { experts.count }

  func run(_ rows: ExpertRows, _ dispatch: Dispatch) -> Tensor {
    precondition(
      rows.pooled.shape == [dispatch.tokenCount, hidden] && dispatch.counts.count == count,
      "\(rows.pooled.shape) and \(dispatch.counts.count) columns for \(count) experts of width \(hidden)"
    )
    return runKernel(rows, dispatch) ?? slices.run(rows, dispatch)
  }

  /// The outputs, or `nil` if the kernels do not apply: no expert was chosen, a tensor is stored
  /// elsewhere, or unsupported gradients are needed.
  private func runKernel(_ rows: ExpertRows, _ dispatch: Dispatch) -> Tensor? {
    let x = rows.pooled
    guard x.dtype == dtype, !dispatch.rows.isEmpty else { return nil }
    let byToken = dispatch.byToken
    if Tensor.recordsGradients([x, byToken.weights] + dispatch.busyMatrices(of: experts)) {
      return runWithGradients(x, dispatch, byToken)
    }
    guard let pointers = ExpertPointers(experts, counts: dispatch.counts) else { return nil }
    return runRows(
      x.contiguous(), dispatch, byToken, byToken.weights.cast(to: .f32).contiguous(),
      Self.blocks(dispatch.counts), pointers, kept: nil, as: rows.arithmetic ?? .prompt)
  }

  /// Runs every expert on its rows and sums the weighted outputs; `weights` belong to
  /// `byToken.places`.
  func runRows(
    _ x: Tensor, _ dispatch: Dispatch, _ byToken: Dispatch.ByToken, _ weights: Tensor,
    _ blocks: [ckernels_block], _ pointers: ExpertPointers, kept: Kept?,
    as arithmetic: Arithmetic = .prompt
  ) -> Tensor? {
    let answers = Tensor.uninitialized([dispatch.rows.count, hidden], dtype: .f32)
    let values =
      arithmetic == .decode
      ? Tensor.uninitialized([dispatch.rows.count, inner], dtype: dtype) : nil
    guard let elements = unsafe x.hostElements else { return nil }
    defer { extendLifetime(x) }
    unsafe withWork(
      elements, dispatch, blocks, pointers, answers: answers, values: values, kept: kept
    ) {
      switch arithmetic {
      case .prompt: unsafe runBlocks($0, count: blocks.count)
      case .decode: unsafe runDots($0, count: blocks.count)
      }
    }
    return byToken.combined(answers, weights: weights, tokens: dispatch.tokenCount, as: dtype)
  }

  /// Products before the activation, kept for the backward pass; shape `[lanes, inner]` each.
  struct Kept {
    var gate: Tensor?
    var up: Tensor
  }

  /// Describes the work on several rows to the kernels.
  func withWork(
    _ x: UnsafeRawPointer, _ dispatch: Dispatch, _ blocks: [ckernels_block],
    _ pointers: ExpertPointers, answers: Tensor?, values: Tensor? = nil, kept: Kept?,
    _ body: (UnsafePointer<ckernels_experts>) -> Void
  ) {
    defer { extendLifetime((answers, pointers, values, kept)) }
    unsafe dispatch.rows.withUnsafeBufferPointer { rows in
      unsafe blocks.withUnsafeBufferPointer { blocks in
        let work = unsafe ckernels_experts(
          narrow: dtype == .bf16, activation: activation, hidden: hidden, inner: inner,
          gate: pointers.gate, up: pointers.up, down: pointers.down, up_bias: pointers.upBias,
          down_bias: pointers.downBias, x: x, rows: rows.baseAddress, blocks: blocks.baseAddress,
          answers: answers?.freshFloats, values: values?.freshElements,
          gate_values: kept?.gate?.freshFloats, up_values: kept?.up.freshFloats)
        unsafe withUnsafePointer(to: work) { unsafe body($0) }
      }
    }
  }

  private func runBlocks(_ work: UnsafePointer<ckernels_experts>, count: Int) {
    let scratch = unsafe Engine.kernels.functions.experts_scratch(work)
    unsafe Engine.parallelPieces(count, scratch: scratch) {
      unsafe Engine.kernels.functions.experts_blocks(work, $0, $0 + 1, $1)
    }
  }

  /// Runs few rows per expert as dot products, all threads together on every expert.
  private func runDots(_ work: UnsafePointer<ckernels_experts>, count: Int) {
    let size = Int(CKERNELS_DOT_OUTPUTS)
    func run(
      _ outputs: Int, from inputs: Int,
      _ step: @convention(c) (UnsafePointer<ckernels_experts>?, Int, Int) -> Void
    ) {
      let pieces = count * ((outputs + size - 1) / size)
      Engine.parallel(pieces, grain: (1 << 15) / (size * inputs)) { part in
        unsafe step(work, part.lowerBound, part.upperBound)
      }
    }
    unsafe run(inner, from: hidden, Engine.kernels.functions.experts_dot_inner)
    unsafe run(hidden, from: inner, Engine.kernels.functions.experts_dot_answers)
  }

  /// Splits each expert's assignments into parts of nearly equal size that fill whole vectors.
  static func blocks(_ counts: [Int]) -> [ckernels_block] {
    let kernels = Engine.kernels
    var blocks: [ckernels_block] = []
    var (start, lane) = (0, 0)
    for (expert, count) in counts.enumerated() where count > 0 {
      let size = kernels.blockSize(count)
      for first in stride(from: 0, to: count, by: size) {
        let rows = min(size, count - first)
        blocks.append(ckernels_block(expert: expert, first: start + first, count: rows, lane: lane))
        lane += kernels.padded(rows)
      }
      start += count
    }
    return blocks
  }
}

/// Addresses of the experts' weights.
@safe final class ExpertPointers {
  typealias List = UnsafeMutablePointer<UnsafeRawPointer?>

  /// Per expert, all experts; `nil` if experts have no gate.
  let gate: List?
  let up: List
  let down: List
  /// Biases of all experts; `nil` if experts have none.
  let upBias: List?
  let downBias: List?
  private let experts: [DenseExpert]

  /// Looks up the addresses of busy experts.
  ///
  /// - Parameters:
  ///   - experts: Kept alive as long as the addresses.
  ///   - counts: Rows per expert.
  init?(_ experts: [DenseExpert], counts: [Int]) {
    self.experts = experts
    let size = experts.count
    let isGated = experts[0].gate != nil
    func list() -> List {
      let list = List.allocate(capacity: size)
      unsafe list.initialize(repeating: nil, count: size)
      return unsafe list
    }
    unsafe (gate, up, down) = (isGated ? list() : nil, list(), list())
    let hasBias = experts[0].upBias != nil
    unsafe (upBias, downBias) = (hasBias ? list() : nil, hasBias ? list() : nil)
    for (place, expert) in experts.enumerated() where counts[place] > 0 {
      guard let upward = unsafe expert.up.value.hostElements,
        let downward = unsafe expert.down.value.hostElements
      else { return nil }
      unsafe up[place] = unsafe upward
      unsafe down[place] = unsafe downward
      if let first = expert.upBias, let second = expert.downBias {
        guard let upward = unsafe first.value.hostElements,
          let downward = unsafe second.value.hostElements
        else { return nil }
        unsafe upBias?[place] = unsafe upward
        unsafe downBias?[place] = unsafe downward
      }
      if let weight = expert.gate {
        guard let elements = unsafe weight.value.hostElements else { return nil }
        unsafe gate?[place] = unsafe elements
      }
    }
  }

  deinit {
    unsafe gate?.deallocate()
    unsafe upBias?.deallocate()
    unsafe downBias?.deallocate()
    unsafe up.deallocate()
    unsafe down.deallocate()
  }
}

extension Dispatch {
  /// The matrices, then the biases, of the experts that have rows, expert by expert.
  func busyMatrices(of experts: [DenseExpert]) -> [Tensor] {
    experts.indices.filter { counts[$0] > 0 }.flatMap { experts[$0].values }
  }
}

extension Activation {
  /// The kernels' name of the function, if they have it.
  var kernel: ckernels_activation? {
    switch self {
    case .silu: CKERNELS_SILU
    case .relu: CKERNELS_RELU
    case .geluTanh: CKERNELS_GELU_TANH
    case .gelu, .tanh: nil
    }
  }
}
