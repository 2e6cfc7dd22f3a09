import CTorch
public import MoECore

/// An n-dimensional array of numbers of one type on one device.
///
/// A tensor is a value: no function changes the elements of an existing one. (Optimizers change the
/// tensor inside a ``Parameter`` in place, but only when nobody else can see it.) Copies share memory,
/// and so do views such as slices and transposes.
///
/// Two tensors in one operation must have the same device, and where the documentation does not say
/// otherwise the same element type. Wrong shapes are errors of the program, not of its input: they end
/// it with a message that names both shapes. Whatever comes from a file or a person is checked before.
///
/// Axes count from 0; negative ones count from the end, as in NumPy.
///
/// Tensors are not `Sendable`: a model and its tensors live in one place, and work is sent there.
public struct Tensor {
  /// Owns one reference to a libtorch tensor.
  @safe final class Storage {
    fileprivate let handle: OpaquePointer

    fileprivate init(owning handle: OpaquePointer) { unsafe self.handle = handle }

    deinit { unsafe ctorch_tensor_free(handle) }
  }

  var storage: Storage

  /// Takes over a handle that the caller owns.
  @inline(__always)
  @unsafe init(owning handle: OpaquePointer) { storage = unsafe Storage(owning: handle) }

  /// Takes a reference of its own to a tensor whose handle the caller keeps.
  @unsafe init(sharing handle: OpaquePointer) {
    unsafe self.init(owning: ctorch_tensor_retain(handle))
  }

  /// A handle of its own for the caller, who frees it.
  @unsafe func sharedHandle() -> OpaquePointer {
    unsafe withHandle { unsafe ctorch_tensor_retain($0) }
  }

  /// Passes the native handle on.
  ///
  /// The one way to it, because Swift may otherwise release the storage as soon as the handle is read.
  @inline(__always)
  func withHandle<Result>(_ body: (OpaquePointer) -> Result) -> Result {
    defer { extendLifetime(storage) }
    return unsafe body(storage.handle)
  }

  /// Passes a list of native handles on, with NULL for absent tensors.
  static func withHandles<Result>(
    _ tensors: [Tensor?], _ body: (UnsafePointer<OpaquePointer?>?, Int) -> Result
  ) -> Result {
    defer { extendLifetime(tensors) }
    let handles = unsafe tensors.map { unsafe $0?.storage.handle }
    return unsafe handles.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
  }

  /// Dimensions, outermost first; empty for a single number.
  public var shape: [Int] {
    let rank = self.rank
    return unsafe [Int](unsafeUninitializedCapacity: rank) { buffer, count in
      unsafe buffer.withMemoryRebound(to: Int64.self) {
        let sizes = $0.baseAddress
        unsafe withHandle { unsafe ctorch_tensor_sizes($0, sizes) }
      }
      count = rank
    }
  }

  /// Number of dimensions.
  public var rank: Int { unsafe withHandle { unsafe ctorch_tensor_rank($0) } }

  /// Number of elements.
  public var count: Int { Int(unsafe withHandle { unsafe ctorch_tensor_count($0) }) }

  /// Element type.
  public var dtype: DType { DType(native: unsafe withHandle { unsafe ctorch_tensor_type($0) }) }

  /// Where the elements live.
  public var device: Device {
    var kind = CTORCH_CPU
    var index: Int32 = 0
    unsafe withHandle { unsafe ctorch_tensor_device($0, &kind, &index) }
    return Device(kind: kind, index: index)
  }

  /// Bytes that the elements take.
  public var byteCount: ByteCount { ByteCount(count * dtype.byteSize) }

  /// The size of one dimension.
  ///
  /// - Precondition: `-rank ≤ axis < rank`.
  public func size(_ axis: Int) -> Int {
    let shape = self.shape
    let index = axis < 0 ? axis + shape.count : axis
    require(shape.indices.contains(index), "axis \(axis) of a tensor of shape \(shape)")
    return shape[index]
  }
}

@available(*, unavailable)
extension Tensor: Sendable {}
