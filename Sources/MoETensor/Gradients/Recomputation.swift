import CTorch
import MoECore

/// Runs a block of a model so that its inner results are not kept for the backward pass but computed
/// again when it comes: less memory for about a third more time.
///
/// The block must compute the same results again when it is called again with the same inputs, so it must
/// not draw random numbers; draw them outside and pass them in.
///
/// - Parameters:
///   - inputs: Tensors that the block receives. Gradients flow to those of floating-point type.
///   - parameters: Weights that the block uses otherwise; gradients flow to these too. A weight that is not
///     listed counts as a constant. Whatever was computed from weights outside must be passed as an input.
///   - block: Computes floating-point tensors from the inputs.
/// - Returns: What the block returned.
/// - Throws: What `block` throws in the forward pass. If it throws in the backward pass,
///   ``valueAndGradients(of:for:)-(_,[Tensor])`` does.
/// - SeeAlso: Chen et al. 2016, *Training Deep Nets with Sublinear Memory Cost*,
///   [arXiv:1604.06174](https://arxiv.org/abs/1604.06174).
public func recomputed(
  _ inputs: [Tensor], parameters: [Parameter] = [], _ block: @escaping ([Tensor]) throws -> [Tensor]
) throws -> [Tensor] {
  let values = try withoutGradients { try block(inputs) }
  let weights = parameters.map(\.value)
  guard ctorch_gradients_enabled(), (inputs + weights).contains(where: \.requiresGradient) else {
    return values
  }
  let recorded = RecomputedBlock(inputs: inputs, weights: weights, block: block)
  let context = unsafe Unmanaged.passRetained(recorded).toOpaque()
  var outputs = unsafe [OpaquePointer?](repeating: nil, count: values.count)
  let status = unsafe Tensor.withHandles(inputs + weights) { inputs, inputCount in
    unsafe Tensor.withHandles(values) { values, valueCount in
      unsafe ctorch_record_block(
        inputs, inputCount, values, valueCount,
        { unsafe RecomputedBlock.backward($0, $1, $2, $3, $4, $5) },
        { unsafe RecomputedBlock.release($0) }, context, &outputs)
    }
  }
  require(status == 0, Engine.lastError)
  return unsafe outputs.compactMap { unsafe $0.map { unsafe Tensor(owning: $0) } }
}

/// Runs a block with one input and one result so that it is computed again for the backward pass.
///
/// - Parameters:
///   - input: The tensor that the block receives.
///   - parameters: Weights that the block uses.
///   - block: Computes a floating-point tensor from the input.
/// - Returns: What the block returned.
/// - Throws: As ``recomputed(_:parameters:_:)-([Tensor],_,_)``.
public func recomputed(
  _ input: Tensor, parameters: [Parameter] = [], _ block: @escaping (Tensor) throws -> Tensor
) throws -> Tensor {
  try recomputed([input], parameters: parameters) { [try block($0[0])] }[0]
}

/// What the backward pass needs to compute a block again.
@safe private final class RecomputedBlock {
  private let inputs: [Tensor]
  private let weights: [Tensor]
  private let block: ([Tensor]) throws -> [Tensor]
  /// The last failure, kept alive for the C side.
  private var message: UnsafeMutablePointer<CChar>?

  init(inputs: [Tensor], weights: [Tensor], block: @escaping ([Tensor]) throws -> [Tensor]) {
    (self.inputs, self.weights, self.block) = (inputs, weights, block)
    unsafe message = nil
  }

  deinit { unsafe message?.deallocate() }

  /// Gradients of the inputs and weights, in this order; `nil` where there is none.
  private func gradients(of outputGradients: [Tensor?]) throws -> [Tensor?] {
    // Copies of the inputs cut the connection to the graph in which the block stands.
    let cut = inputs.map { $0.detached() }
    let differentiable = cut.filter(\.dtype.isFloatingPoint)
    return try recording(differentiable + weights) {
      let outputs = try block(cut)
      let used = zip(outputs, outputGradients).filter { $0.0.requiresGradient && $0.1 != nil }
      guard !used.isEmpty else { return (cut + weights).map { _ in nil } }
      var found = try MoETensor.gradients(
        of: used.map(\.0), seeds: used.map(\.1), for: differentiable + weights)[...]
      return cut.map { $0.dtype.isFloatingPoint ? found.removeFirst() : nil } + found
    }
  }

  /// Gives up the reference that the gradient graph held.
  static func release(_ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<RecomputedBlock>.fromOpaque(context).release()
  }

  /// The function that libtorch calls in the backward pass; see `CTorchBackward`.
  static func backward(
    _ context: UnsafeMutableRawPointer?, _ incoming: UnsafePointer<OpaquePointer?>?,
    _ incomingCount: Int, _ outgoing: UnsafeMutablePointer<OpaquePointer?>?, _ outgoingCount: Int,
    _ message: UnsafeMutablePointer<UnsafePointer<CChar>?>?
  ) -> CInt {
    guard let context = unsafe context else { return 1 }
    let block = unsafe Unmanaged<RecomputedBlock>.fromOpaque(context).takeUnretainedValue()
    do {
      // The caller keeps its handles, so each tensor here gets a reference of its own.
      let gradients = try block.gradients(
        of: (0..<incomingCount).map { index in
          unsafe incoming?[index].map { unsafe Tensor(sharing: $0) }
        })
      for index in 0..<outgoingCount {
        unsafe outgoing?[index] = unsafe gradients[index].map { unsafe $0.sharedHandle() }
      }
      return 0
    } catch {
      unsafe block.message?.deallocate()
      unsafe block.message = strdupSwift("\(error)")
      unsafe message?.pointee = UnsafePointer(block.message)
      return 1
    }
  }
}

private func strdupSwift(_ text: String) -> UnsafeMutablePointer<CChar> {
  let bytes = Array(text.utf8CString)
  let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
  unsafe copy.initialize(from: bytes, count: bytes.count)
  return unsafe copy
}
