public import MoECore

private let toDType = Operator("to", "dtype")
private let toDevice = Operator("to", "device")
private let detachOperator = Operator("detach")

extension Tensor {
  /// The elements converted to another type; the tensor itself if it already has that type.
  ///
  /// Floats round to nearest, ties to even; conversion to integers truncates; anything but 0
  /// becomes `true`.
  public func cast(to dtype: DType) -> Tensor { self.dtype == dtype ? self : toDType(self, dtype) }

  /// The elements on another device; the tensor itself if it is already there.
  ///
  /// - Throws: ``TensorError/deviceUnavailable(_:)`` when the device does not exist here.
  public func moved(toChecked device: Device) throws(TensorError) -> Tensor {
    moved(to: try device.checked())
  }

  /// The elements on another device, which must exist; the tensor itself if it is already there.
  public func moved(to device: Device) -> Tensor {
    self.device == device ? self : toDevice(self, device, dtype)
  }

  /// The same elements as a constant: no gradient flows through the result.
  public func detached() -> Tensor { detachOperator(self) }
}
