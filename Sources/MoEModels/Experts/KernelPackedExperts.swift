import CKernels
import MoECore
import MoERouting
import MoETensor

/// Feed-forward experts with packed weights, run by Switchyard's kernels: every projection of every expert may have a
/// width, a group and a kind of its own.
///
/// Few rows, as text generation has them, read codes in place; blocks of many rows unpack them, up to four blocks of an
/// expert together. Work is cut into pieces of equal bytes, so that threads finish together whatever the widths.
struct KernelPackedExperts: ExpertBank {
  let experts: [FeedForward]
  private let hidden: Int
  private let inner: Int
  private let activation: ckernels_activation
  private let weights: PackedProjections
  /// The definition, for what the kernels do not support.
  private let slices: SlicedExperts

  /// Bytes of codes, scales and biases in a piece of work.
  private static let pieceBytes = 64 << 10
  /// The fewest pieces for which an extra thread pays off.
  private static let pieceGrain = 1

  /// Checks whether the kernels support these experts: packed weights of equal shapes, no biases, and an activation that
  /// they know.
  init?(_ experts: [FeedForward]) {
    guard let first = experts.first, let activation = first.activation.kernel,
      let up = first.up.weight as? PackedWeight, up.device == .cpu
    else { return nil }
    (inner, hidden) = (up.shape[0], up.shape[1])
    self.activation = activation
    self.experts = experts
    guard let weights = PackedProjections(experts, hidden: hidden, inner: inner) else { return nil }
    self.weights = weights
    slices = SlicedExperts(experts, outputs: hidden)
  }

  var count: Int { experts.count }

  func run(_ rows: ExpertRows, _ dispatch: Dispatch) -> Tensor {
    precondition(
      rows.pooled.shape == [dispatch.tokenCount, hidden] && dispatch.counts.count == count,
      "\(rows.pooled.shape) and \(dispatch.counts.count) columns for \(count) experts of width \(hidden)"
    )
    let byToken = dispatch.byToken
    guard !dispatch.rows.isEmpty, !Tensor.recordsGradients([rows.pooled, byToken.weights]) else {
      return slices.run(rows, dispatch)
    }
    let x = rows.pooled.cast(to: .f32).contiguous()
    let blocks = KernelExperts.blocks(dispatch.counts)
    let answers =
      switch rows.arithmetic ?? .prompt {
      case .prompt: unpacked(x, dispatch, blocks)
      case .decode: dots(x, dispatch, blocks)
      }
    return byToken.combined(answers, tokens: dispatch.tokenCount, as: rows.pooled.dtype)
  }

  private func work(
    _ x: Tensor, _ rows: UnsafePointer<Int32>?, _ blocks: UnsafePointer<ckernels_block>?,
    _ answers: Tensor
  ) -> ckernels_quantized_experts {
    var work = unsafe ckernels_quantized_experts()
    unsafe work.activation = activation
    unsafe work.hidden = hidden
    unsafe work.inner = inner
    unsafe work.gate = UnsafePointer(weights.gate)
    unsafe work.up = UnsafePointer(weights.up)
    unsafe work.down = UnsafePointer(weights.down)
    unsafe work.x = x.floats
    unsafe work.rows = rows
    unsafe work.blocks = blocks
    unsafe work.answers = answers.freshFloats
    return unsafe work
  }

  /// Many rows: each run of blocks unpacks the weights of its expert.
  private func unpacked(_ x: Tensor, _ dispatch: Dispatch, _ blocks: [ckernels_block]) -> Tensor {
    let answers = Tensor.uninitialized([dispatch.rows.count, hidden], dtype: .f32)
    defer { extendLifetime((x, answers, weights)) }
    unsafe dispatch.rows.withUnsafeBufferPointer { rows in
      unsafe blocks.withUnsafeBufferPointer { list in
        var work = unsafe work(x, rows.baseAddress, list.baseAddress, answers)
        let scratch = unsafe Engine.kernels.functions.quantized_experts_scratch(&work)
        let runs = Self.runs(blocks)
        unsafe withUnsafePointer(to: work) { work in
          unsafe Engine.parallelPieces(runs.count, scratch: scratch) {
            unsafe Engine.kernels.functions.quantized_experts_blocks(
              work, runs[$0].lowerBound, runs[$0].upperBound, $1)
          }
        }
      }
    }
    return answers
  }

  /// Blocks that a kernel computes together, up to four of one expert, the longest runs first.
  private static func runs(_ blocks: [ckernels_block]) -> [Range<Int>] {
    var runs: [Range<Int>] = []
    for (place, block) in blocks.enumerated() {
      if let last = runs.last, last.count < Int(CKERNELS_EXPERT_BLOCKS),
        blocks[last.lowerBound].expert == block.expert
      {
        runs[runs.count - 1] = last.lowerBound..<place + 1
      } else {
        runs.append(place..<place + 1)
      }
    }
    return runs.sorted { ($1.count, $0.lowerBound) < ($0.count, $1.lowerBound) }
  }

  /// Few rows: all threads together on every expert.
  private func dots(_ x: Tensor, _ dispatch: Dispatch, _ blocks: [ckernels_block]) -> Tensor {
    let kernels = unsafe Engine.kernels.functions
    let (assignments, tokens) = (dispatch.rows.count, dispatch.tokenCount)
    let busy = blocks.map(\.expert)
    let answers = Tensor.uninitialized([assignments, hidden], dtype: .f32)
    let values = Tensor.uninitialized([assignments, inner], dtype: .f32)
    let rounded = Set(busy.flatMap { weights.raisingForms[$0] }).map {
      (form: $0, rows: RoundedRows(x, rows: tokens, inputs: hidden, form: $0))
    }
    let bytes =
      busy.map {
        unsafe kernels.quantized_form_bytes(inner, weights.loweringForms[$0])
      }.max() ?? 0
    let inside = Tensor.uninitialized([assignments * bytes], dtype: .u8)
    defer { extendLifetime((x, answers, values, inside, rounded, weights)) }
    unsafe dispatch.rows.withUnsafeBufferPointer { rows in
      unsafe blocks.withUnsafeBufferPointer { list in
        var work = unsafe work(x, rows.baseAddress, list.baseAddress, answers)
        for item in rounded { unsafe work.setForm(item.form, item.rows.start) }
        unsafe work.inner_values = values.freshFloats
        unsafe work.inner_forms = inside.freshElements
        unsafe work.inner_form_bytes = bytes
        unsafe run(
          &work, pieces(blocks, inner, weights.raisingBytes), kernels.quantized_experts_inner)
        unsafe withUnsafePointer(to: work) { work in
          Engine.parallel(blocks.count, grain: 16) { part in
            unsafe kernels.quantized_experts_prepare(work, part.lowerBound, part.upperBound)
          }
        }
        unsafe run(
          &work, pieces(blocks, hidden, weights.loweringBytes), kernels.quantized_experts_answers)
      }
    }
    return answers
  }

  private func run(
    _ work: inout ckernels_quantized_experts, _ pieces: [ckernels_piece],
    _ step: @convention(c) (UnsafePointer<ckernels_quantized_experts>?, Int, Int) -> Void
  ) {
    unsafe pieces.withUnsafeBufferPointer { list in
      unsafe work.pieces = list.baseAddress
      unsafe withUnsafePointer(to: work) { work in
        Engine.parallel(pieces.count, grain: Self.pieceGrain) { part in
          unsafe step(work, part.lowerBound, part.upperBound)
        }
      }
    }
  }

  /// Cuts the outputs of all blocks into pieces of about equal bytes.
  private func pieces(
    _ blocks: [ckernels_block], _ outputs: Int, _ bytesPerOutput: [Int]
  ) -> [ckernels_piece] {
    let step = Int(CKERNELS_DOT_OUTPUTS)
    var pieces: [ckernels_piece] = []
    for (place, block) in blocks.enumerated() {
      let size = max(1, Self.pieceBytes / (step * bytesPerOutput[block.expert])) * step
      for first in stride(from: 0, to: outputs, by: size) {
        pieces.append(ckernels_piece(block: place, first: first, count: min(size, outputs - first)))
      }
    }
    return pieces
  }
}

/// The descriptions of all experts' weights, which the kernels read.
@safe private final class PackedProjections {
  let gate: UnsafeMutablePointer<ckernels_quantized>?
  let up: UnsafeMutablePointer<ckernels_quantized>
  let down: UnsafeMutablePointer<ckernels_quantized>
  /// The forms in which each expert's gate and up projections read rows.
  private(set) var raisingForms: [[Int]] = []
  /// The form in which each expert's down projection reads inner values.
  private(set) var loweringForms: [Int] = []
  /// Bytes of gate and up projection per inner value, and of the down projection per number of an answer.
  private(set) var raisingBytes: [Int] = []
  private(set) var loweringBytes: [Int] = []
  private let experts: [FeedForward]

  init?(_ experts: [FeedForward], hidden: Int, inner: Int) {
    func packed(_ linear: Linear?, _ shape: [Int]) -> PackedWeight? {
      guard let linear, linear.bias == nil, let weight = linear.weight as? PackedWeight,
        weight.shape == shape, weight.device == .cpu, weight.order == nil
      else { return nil }
      return weight
    }
    let isGated = experts[0].gate != nil
    let ups = experts.compactMap { packed($0.up, [inner, hidden]) }
    let downs = experts.compactMap { packed($0.down, [hidden, inner]) }
    let gates = experts.compactMap { packed($0.gate, [inner, hidden]) }
    guard ups.count == experts.count, downs.count == experts.count,
      gates.count == (isGated ? experts.count : 0),
      experts.allSatisfy({ ($0.gate != nil) == isGated && $0.activation == experts[0].activation })
    else { return nil }
    self.experts = experts
    func list(_ weights: [PackedWeight]) -> UnsafeMutablePointer<ckernels_quantized> {
      let list = UnsafeMutablePointer<ckernels_quantized>.allocate(capacity: weights.count)
      for (place, weight) in weights.enumerated() {
        guard let description = unsafe weight.description else {
          preconditionFailure("a packed weight is not on the CPU")
        }
        unsafe (list + place).initialize(to: description)
      }
      return unsafe list
    }
    unsafe (gate, up, down) = (isGated ? list(gates) : nil, list(ups), list(downs))
    let kernels = unsafe Engine.kernels.functions
    for place in experts.indices {
      let pair = (isGated ? [gates[place]] : []) + [ups[place]]
      raisingForms.append(Set(pair.compactMap(\.form)).sorted())
      unsafe loweringForms.append(kernels.quantized_form(down + place))
      raisingBytes.append(pair.reduce(0) { $0 + $1.outputBytes })
      loweringBytes.append(downs[place].outputBytes)
    }
  }

  deinit {
    unsafe gate?.deallocate()
    unsafe up.deallocate()
    unsafe down.deallocate()
  }
}

extension PackedWeight {
  /// The form in which rows are multiplied with the codes.
  fileprivate var form: Int? {
    guard var description = unsafe description else { return nil }
    return unsafe Engine.kernels.functions.quantized_form(&description)
  }
}

extension ckernels_quantized_experts {
  /// Sets an element of the list of forms, which Swift sees as a tuple.
  fileprivate mutating func setForm(_ index: Int, _ start: UnsafeRawPointer?) {
    unsafe withUnsafeMutableBytes(of: &forms) { bytes in
      unsafe bytes.storeBytes(
        of: start, toByteOffset: index * MemoryLayout<UnsafeRawPointer?>.stride,
        as: UnsafeRawPointer?.self)
    }
  }
}
