extension PickleMachine {
  static let storages: [String: DType] = [
    "DoubleStorage": .f64, "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16,
    "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8,
    "ByteStorage": .u8, "BoolStorage": .bool,
  ]

  static let dtypes: Set<String> = [
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
  ]

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
