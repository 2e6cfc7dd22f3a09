extension PickleMachine {
  static let storages: [String: DType] = [
    "DoubleStorage": .f64, "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16,
    "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8,
    "ByteStorage": .u8, "BoolStorage": .bool,
  ]

  private static let dtypes: [String: DType] = [
    "float64": .f64, "float32": .f32, "float16": .f16, "bfloat16": .bf16, "int64": .i64,
    "int32": .i32, "int16": .i16, "int8": .i8, "uint8": .u8, "bool": .bool, "uint16": .u16,
    "uint32": .u32, "uint64": .u64, "float8_e4m3fn": .f8e4m3, "float8_e5m2": .f8e5m2,
  ]
  /// Types whose values are not read.
  private static let otherDTypes: Set<String> = [
    "complex32", "complex64", "complex128", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu",
  ]

  /// Whether `torch` has a type of elements of this name.
  static func hasDType(_ name: String) -> Bool { dtypes[name] != nil || otherDTypes.contains(name) }

  /// `("storage", type, name, device, count)`.
  mutating func persistent() throws(PickleError.Reason) {
    guard case .open(let index) = try pop() else { throw broken("a storage without a description") }
    let items = containers[index].list
    guard items.count == 5, case .value(.string("storage")) = items[0],
      case .global(.storage(let dtype)) = items[1], case .value(.string(let name)) = items[2],
      case .value(.integer(let count)) = items[4], count >= 0
    else { throw broken("a storage is described in an unknown way") }
    stack.append(.storage(dtype: dtype, name: name, count: count))
  }

  func argumentItems(_ item: Item) throws(PickleError.Reason) -> [Item] {
    switch item {
    case .open(let index) where !containers[index].isDictionary: return containers[index].list
    case .value(.list(let values)): return values.map { .value($0) }
    default: throw broken("call arguments are not a tuple")
    }
  }

  func integers(_ item: Item) throws(PickleError.Reason) -> [Int] {
    var result: [Int] = []
    for element in try argumentItems(item) {
      guard case .value(.integer(let number)) = element, number >= 0 else {
        throw broken("a size or stride is not a non-negative integer")
      }
      result.append(number)
    }
    return result
  }

  /// `(storage of bytes, offset, size, stride, gradients, hooks, type, …)`.
  func typedTensor(_ arguments: [Item]) throws(PickleError.Reason) -> PickleValue {
    guard arguments.count >= 7, case .storage(.u8, let name, let bytes) = arguments[0],
      case .global(.dtype(let type)) = arguments[6]
    else { throw broken("a tensor is described in an unknown way") }
    guard let dtype = Self.dtypes[type] else { return .opaque("a tensor of torch.\(type)") }
    let storage = Item.storage(dtype: dtype, name: name, count: bytes / dtype.byteSize)
    return .tensor(try tensor([storage] + arguments.dropFirst()))
  }

  /// `(storage, offset, size, stride, …)`, checked against the storage.
  func tensor(_ arguments: [Item]) throws(PickleError.Reason) -> PickleTensor {
    guard arguments.count >= 4, case .storage(let dtype, let name, let count) = arguments[0],
      case .value(.integer(let offset)) = arguments[1], offset >= 0
    else { throw broken("a tensor is described in an unknown way") }
    let (shape, strides) = (try integers(arguments[2]), try integers(arguments[3]))
    guard shape.count == strides.count, shape.count <= 64,
      SafetensorsEntry.byteCount(shape: shape, dtype: dtype) != nil
    else { throw .tooLarge("a tensor has shape \(shape)") }
    var last = offset
    for (size, stride) in zip(shape, strides) where !shape.contains(0) {
      let (step, overflow) = (size - 1).multipliedReportingOverflow(by: stride)
      let (sum, carry) = last.addingReportingOverflow(step)
      guard !overflow, !carry else { throw .tooLarge("a tensor has strides \(strides)") }
      last = sum
    }
    guard shape.contains(0) || last < count else {
      throw broken("a tensor of shape \(shape) extends beyond its storage of \(count) elements")
    }
    return PickleTensor(dtype: dtype, shape: shape, strides: strides, offset: offset, storage: name)
  }
}
