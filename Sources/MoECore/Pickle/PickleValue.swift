/// A value of a pickle: plain data and tensors, nothing else.
public indirect enum PickleValue: Hashable, Sendable {
  /// Python's `None`.
  case none
  /// True or false.
  case bool(Bool)
  /// An integer of at most 64 bits.
  case integer(Int)
  /// A floating-point number.
  case float(Double)
  /// Text.
  case string(String)
  /// Raw bytes.
  case bytes([UInt8])
  /// A list, set or tuple.
  case list([PickleValue])
  /// A dictionary, in insertion order, with keys of any kind.
  case dictionary([Entry])
  /// A tensor, whose elements are in the file.
  case tensor(PickleTensor)
  /// A plain value that is only named: a type, a date, an integer of more than 64 bits.
  case opaque(String)

  /// An entry of a dictionary.
  public struct Entry: Hashable, Sendable {
    /// The key.
    public var key: PickleValue
    /// The value.
    public var value: PickleValue
  }

  /// The value of a text key, if this is a dictionary that has it.
  public subscript(key: String) -> PickleValue? {
    guard case .dictionary(let entries) = self else { return nil }
    return entries.last { $0.key == .string(key) }?.value
  }

  /// The elements, if this is a list.
  public var elements: [PickleValue]? {
    guard case .list(let elements) = self else { return nil }
    return elements
  }

  /// The number, if this is an integer.
  public var integer: Int? {
    guard case .integer(let value) = self else { return nil }
    return value
  }

  /// The tensor, if this is one.
  public var tensor: PickleTensor? {
    guard case .tensor(let tensor) = self else { return nil }
    return tensor
  }
}

/// The position of a tensor in a `.pt` file, checked to be inside its storage.
public struct PickleTensor: Hashable, Sendable {
  /// Element type.
  public var dtype: DType
  /// Dimensions, outermost first.
  public var shape: [Int]
  /// Strides: elements between neighbours along each axis.
  public var strides: [Int]
  /// Index of the first element in the storage.
  public var offset: Int
  /// Name of the storage, a record of the container.
  public var storage: String

  /// Number of elements.
  public var count: Int { shape.reduce(1, *) }

  /// Whether the elements are contiguous in row-major order.
  var isRowMajor: Bool {
    var step = 1
    for (size, stride) in zip(shape, strides).reversed() {
      guard size == 1 || stride == step else { return false }
      step *= size
    }
    return true
  }
}
