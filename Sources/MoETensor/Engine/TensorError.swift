public import MoECore

/// Why the tensor engine failed.
public enum TensorError: Error, Hashable {
  /// The engine has no operation of this name; libtorch is older or newer than this program
  /// expects.
  case unknownOperation(name: String, message: String)
  /// An operation rejected its arguments.
  case operationFailed(name: String, arguments: String, message: String)
  /// The device does not exist on this machine or in this build of libtorch.
  case deviceUnavailable(Device)
  /// Bytes, shape and element type do not match.
  case invalidStorage(message: String)
  /// A saved random state is not one of this kind of generator.
  case invalidRandomState(message: String)
  /// A finite element of a tensor would become infinite in a narrower type.
  case castOverflow(name: String, dtype: DType)
  /// Gradients could not be computed.
  case gradientFailed(message: String)
}

extension TensorError: CustomStringConvertible {
  /// What happened and what to change.
  public var description: String {
    switch self {
    case .unknownOperation(let name, let message):
      "libtorch has no operation \(name): \(message); it is older or newer than expected"
    case .operationFailed(let name, let arguments, let message):
      "\(name)(\(arguments)): \(message)"
    case .deviceUnavailable(let device):
      "the device \(device) is not available: \(device.unavailabilityHint)"
    case .invalidStorage(let message):
      "the bytes do not make a tensor: \(message)"
    case .invalidRandomState(let message):
      "the saved random state cannot be restored: \(message)"
    case .castOverflow(let name, let dtype):
      "tensor '\(name.printable)' has elements outside the range of \(dtype); choose a wider type"
    case .gradientFailed(let message):
      "the gradients could not be computed: \(message)"
    }
  }
}
