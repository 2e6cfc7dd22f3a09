import CTorch
public import MoECore

/// An n-dimensional array of numbers of one type on one device.
///
/// A tensor is a value: no function changes the elements of an existing one. (Optimizers change the
/// tensor inside a ``Parameter`` in place, but only if it is not shared.) Copies share memory, and
/// so do views such as slices and transposes.
///
/// Tensors in one operation must be on the same device and, unless documented otherwise, have the
/// same element type. Wrong shapes are programming errors, not input errors: they end the program
/// with a message that names both shapes. Input from files and users is checked before.
///
/// Axes count from 0; negative ones count from the end, as in NumPy.
///
/// Tensors are not `Sendable`: a model and its tensors stay in one isolation domain, and work is
/// sent there.
public struct Tensor {
  /// Owns one reference to a libtorch tensor.
  @safe final class Storage {
    fileprivate let handle: OpaquePointer

    fileprivate init(owning handle: OpaquePointer) { unsafe self.handle = handle }

    deinit { unsafe ctorch_tensor_free(handle) }
  }

  var storage: Storage

  /// Takes ownership of a handle.
  @inline(__always)
  @unsafe init(owning handle: OpaquePointer) { storage = unsafe Storage(owning: handle) }

  /// Retains a tensor whose handle the caller keeps.
  @unsafe init(sharing handle: OpaquePointer) {
    unsafe self.init(owning: ctorch_tensor_retain(handle))
  }

  /// A new handle, which the caller must free.
  @unsafe func sharedHandle() -> OpaquePointer {
    unsafe withHandle { unsafe ctorch_tensor_retain($0) }
  }

  /// Calls `body` with the native handle.
  ///
  /// The only access to it, because otherwise Swift may release the storage as soon as the handle
  /// is read.
  @inline(__always)
  func withHandle<Result>(_ body: (OpaquePointer) -> Result) -> Result {
    defer { extendLifetime(storage) }
    return unsafe body(storage.handle)
  }

  /// Calls `body` with a list of native handles, with NULL for absent tensors.
  static func withHandles<Result>(
    _ tensors: [Tensor?], _ body: (UnsafePointer<OpaquePointer?>?, Int) -> Result
  ) -> Result {
    defer { extendLifetime(tensors) }
    let handles = unsafe tensors.map { unsafe $0?.storage.handle }
    return unsafe handles.withUnsafeBufferPointer { unsafe body($0.baseAddress, $0.count) }
  }

  /// Dimensions, outermost first; empty for a scalar.
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

  /// The device that stores the elements.
  public var device: Device {
    var kind = CTORCH_CPU
    var index: Int32 = 0
    unsafe withHandle { unsafe ctorch_tensor_device($0, &kind, &index) }
    return Device(kind: kind, index: index)
  }

  /// The size of the elements in bytes.
  public var byteCount: ByteCount { ByteCount(count * dtype.byteSize) }

  /// The size of one dimension.
  ///
  /// - Precondition: `-rank ≤ axis < rank`.
  public func size(_ axis: Int) -> Int {
    let rank = self.rank
    let index = axis < 0 ? axis + rank : axis
    require(0..<rank ~= index, "axis \(axis) of a tensor of shape \(shape)")
    return Int(unsafe withHandle { unsafe ctorch_tensor_size($0, index) })
  }
}

@available(*, unavailable)
extension Tensor: Sendable {}
