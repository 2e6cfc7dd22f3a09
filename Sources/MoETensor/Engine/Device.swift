import CTorch

/// The device that stores a tensor's elements and runs its operations.
public enum Device: Hashable, Sendable {
  /// The CPU.
  case cpu
  /// The CUDA device with this index, from 0.
  case cuda(Int)
  /// The GPU of an Apple computer.
  case mps

  /// Parses a device name: `cpu`, `cuda`, `cuda:1`, `mps`; `nil` for anything else.
  public init?(parsing text: String) {
    switch text {
    case "cpu": self = .cpu
    case "cuda": self = .cuda(0)
    case "mps": self = .mps
    default:
      guard text.hasPrefix("cuda:"), let index = Int(text.dropFirst(5)), index >= 0 else {
        return nil
      }
      self = .cuda(index)
    }
  }

  /// Whether the device exists on this machine and in this build of libtorch.
  public var isAvailable: Bool {
    switch self {
    case .cpu: true
    case .cuda(let index): 0..<Int(ctorch_device_count(CTORCH_CUDA)) ~= index
    case .mps: ctorch_device_count(CTORCH_MPS) > 0
    }
  }

  /// This device, if it is available.
  ///
  /// - Throws: ``TensorError/deviceUnavailable(_:)`` otherwise.
  public func checked() throws(TensorError) -> Device {
    guard isAvailable else { throw .deviceUnavailable(self) }
    return self
  }

  var unavailabilityHint: String {
    switch self {
    case .cpu: "this cannot happen"
    case .cuda:
      "this build of libtorch sees \(ctorch_device_count(CTORCH_CUDA)) CUDA devices; use the device cpu, or set up with a CUDA build of torch (SWITCHYARD_TORCH)"
    case .mps: "it exists on Apple computers only; use the device cpu"
    }
  }

  var native: (kind: CTorchDeviceKind, index: Int32) {
    switch self {
    case .cpu: (CTORCH_CPU, 0)
    case .cuda(let index): (CTORCH_CUDA, Int32(clamping: index))
    case .mps: (CTORCH_MPS, 0)
    }
  }

  init(kind: CTorchDeviceKind, index: Int32) {
    switch kind {
    case CTORCH_CUDA: self = .cuda(Int(index))
    case CTORCH_MPS: self = .mps
    default: self = .cpu
    }
  }
}

extension Device: CustomStringConvertible {
  /// The name that ``init(parsing:)`` reads.
  public var description: String {
    switch self {
    case .cpu: "cpu"
    case .cuda(let index): "cuda:\(index)"
    case .mps: "mps"
    }
  }
}
