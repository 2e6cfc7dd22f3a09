import CTorch
import MoECore

/// Connects results that were computed without recording to the gradient graph, with a backward
/// pass by the caller.
///
/// - Parameters:
///   - values: The results; constants to libtorch so far.
///   - inputs: The tensors that they were computed from.
///   - backward: Receives the gradient of each value, `nil` if it was not used, and returns that of
///     each input, `nil` if there is none. Called at most once, without recording.
/// - Returns: The values, as differentiable results of the inputs. Second derivatives are not
///   supported.
package func recorded(
  _ values: [Tensor], from inputs: [Tensor],
  backward: @escaping (_ outputGradients: [Tensor?]) throws -> [Tensor?]
) -> [Tensor] {
  let block = RecordedBlock(backward)
  let context = unsafe Unmanaged.passRetained(block).toOpaque()
  var outputs = unsafe [OpaquePointer?](repeating: nil, count: values.count)
  let status = unsafe Tensor.withHandles(inputs) { inputs, inputCount in
    unsafe Tensor.withHandles(values) { values, valueCount in
      unsafe ctorch_record_block(
        inputs, inputCount, values, valueCount,
        { unsafe RecordedBlock.backward($0, $1, $2, $3, $4, $5) },
        { unsafe RecordedBlock.release($0) }, context, &outputs)
    }
  }
  require(status == 0, Engine.lastError)
  return unsafe outputs.compactMap { unsafe $0.map { unsafe Tensor(owning: $0) } }
}

extension Tensor {
  /// Whether operations on these tensors are recorded for gradients.
  package static func recordsGradients(_ tensors: @autoclosure () -> [Tensor]) -> Bool {
    ctorch_gradients_enabled() && tensors().contains(where: \.requiresGradient)
  }
}

/// A backward pass passed through C.
@safe private final class RecordedBlock {
  private let gradients: ([Tensor?]) throws -> [Tensor?]
  /// The last failure, kept alive for the C side.
  private var message: UnsafeMutablePointer<CChar>?

  init(_ gradients: @escaping ([Tensor?]) throws -> [Tensor?]) {
    self.gradients = gradients
    unsafe message = nil
  }

  deinit { unsafe message?.deallocate() }

  /// Releases the reference that the gradient graph held.
  static func release(_ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<RecordedBlock>.fromOpaque(context).release()
  }

  /// The function that libtorch calls in the backward pass; see `CTorchBackward`.
  static func backward(
    _ context: UnsafeMutableRawPointer?, _ incoming: UnsafePointer<OpaquePointer?>?,
    _ incomingCount: Int, _ outgoing: UnsafeMutablePointer<OpaquePointer?>?, _ outgoingCount: Int,
    _ message: UnsafeMutablePointer<UnsafePointer<CChar>?>?
  ) -> CInt {
    guard let context = unsafe context else { return 1 }
    let block = unsafe Unmanaged<RecordedBlock>.fromOpaque(context).takeUnretainedValue()
    do {
      // The caller keeps its handles, so each tensor here retains its own reference.
      let gradients = try block.gradients(
        (0..<incomingCount).map { index in
          unsafe incoming?[index].map { unsafe Tensor(sharing: $0) }
        })
      for index in 0..<outgoingCount {
        unsafe outgoing?[index] = unsafe gradients[index].map { unsafe $0.sharedHandle() }
      }
      return 0
    } catch {
      unsafe block.message?.deallocate()
      unsafe block.message = copied("\(error)")
      unsafe message?.pointee = UnsafePointer(block.message)
      return 1
    }
  }

  private static func copied(_ text: String) -> UnsafeMutablePointer<CChar> {
    let bytes = Array(text.utf8CString)
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    unsafe copy.initialize(from: bytes, count: bytes.count)
    return unsafe copy
  }
}
