/// Interprets the opcodes that plain data and tensors need, and rejects all others by name.
///
/// The only results are ``PickleValue``s: a global is a name on an allow list, and calling one
/// builds a tensor description or a container. Steps, depth and sizes are bounded.
///
/// - SeeAlso: Python's `pickletools.py`, which documents the opcodes.
struct PickleMachine {
  /// What can lie on the stack.
  private enum Item {
    case value(PickleValue)
    case global(Global)
    case mark
    case storage(dtype: DType, name: String, count: Int)
    /// A container that later opcodes may still fill, shared through the memo.
    case open(Int)
  }

  private enum Global: Hashable {
    case orderedDict, rebuildTensor, rebuildParameter, set
    case storage(DType)
    case dtype(String)
  }

  private struct Container {
    var list: [Item] = []
    var pairs: [(Item, Item)] = []
    var isDictionary: Bool
  }

  private let bytes: [UInt8]
  private var place = 0
  private var stack: [Item] = []
  private var memo: [Int: Item] = [:]
  private var containers: [Container] = []
  private var built = 0

  /// The maximum nesting depth of values.
  private static let depthLimit = 64
  /// The most values that a pickle may create: real ones need fewer than they have bytes.
  private var valueLimit: Int { 1000 + 8 * bytes.count }

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Runs the program and returns its result.
  mutating func run() throws(PickleError.Reason) -> PickleValue {
    while true {
      let start = place
      let code = try byte()
      if code == UInt8(ascii: ".") { break }
      try step(code, start)
    }
    guard stack.count == 1, let result = stack.last else {
      throw broken("nothing is left to return")
    }
    return try value(result, depth: 0)
  }

  private func broken(_ problem: String) -> PickleError.Reason {
    .invalidPickle(offset: place, problem)
  }

  // MARK: Opcodes

  private mutating func step(_ code: UInt8, _ start: Int) throws(PickleError.Reason) {
    switch code {
    case 0x80: _ = try byte()  // PROTO
    case 0x95: _ = try unsigned(8)  // FRAME
    case UInt8(ascii: "("): stack.append(.mark)
    case UInt8(ascii: "N"): push(.none)
    case 0x88: push(.bool(true))
    case 0x89: push(.bool(false))
    case UInt8(ascii: "K"): push(.integer(Int(try byte())))
    case UInt8(ascii: "M"): push(.integer(try unsigned(2)))
    case UInt8(ascii: "J"): push(.integer(Int(Int32(truncatingIfNeeded: try unsigned(4)))))
    case 0x8A: push(.integer(try long()))
    case UInt8(ascii: "G"): push(.float(try double()))
    case UInt8(ascii: "X"): push(.string(try text(try unsigned(4))))
    case 0x8C: push(.string(try text(try unsigned(1))))
    case UInt8(ascii: "U"): push(.string(try text(try unsigned(1))))
    case UInt8(ascii: "B"): push(.bytes(try raw(try unsigned(4))))
    case UInt8(ascii: "C"): push(.bytes(try raw(try unsigned(1))))
    default: try structure(code, start)
    }
  }

  private mutating func structure(_ code: UInt8, _ start: Int) throws(PickleError.Reason) {
    switch code {
    case UInt8(ascii: "]"), 0x8F: open(isDictionary: false)
    case UInt8(ascii: "}"): open(isDictionary: true)
    case UInt8(ascii: ")"): push(.list([]))
    case UInt8(ascii: "t"): try makeTuple(try popToMark())
    case 0x85: try tuple(1)
    case 0x86: try tuple(2)
    case 0x87: try tuple(3)
    case UInt8(ascii: "l"): try makeTuple(try popToMark())
    case UInt8(ascii: "a"):
      let item = try pop()
      try extend([item])
    case UInt8(ascii: "e"), 0x90: try extend(try popToMark())
    case UInt8(ascii: "s"):
      let item = try pop()
      let key = try pop()
      try fill([key, item])
    case UInt8(ascii: "u"): try fill(try popToMark())
    case UInt8(ascii: "q"): try remember(Int(try byte()))
    case UInt8(ascii: "r"): try remember(try unsigned(4))
    case 0x94: try remember(memo.count)
    case UInt8(ascii: "h"): try recall(Int(try byte()))
    case UInt8(ascii: "j"): try recall(try unsigned(4))
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "c"):
      let module = try line()
      try global("\(module).\(try line())")
    case 0x93:
      guard case .value(.string(let name)) = try pop(), case .value(.string(let module)) = try pop()
      else { throw broken("a global without a name") }
      try global("\(module).\(name)")
    case UInt8(ascii: "Q"): try persistent()
    case UInt8(ascii: "R"): try call()
    // An object's state: for state dictionaries, metadata that is not needed.
    case UInt8(ascii: "b"): _ = try pop()
    default: throw .unknownOpcode(code, offset: start)
    }
  }

  // MARK: Values

  private mutating func push(_ value: PickleValue) { stack.append(.value(value)) }

  private mutating func pop() throws(PickleError.Reason) -> Item {
    guard let item = stack.popLast() else { throw broken("the stack is empty") }
    return item
  }

  private mutating func popToMark() throws(PickleError.Reason) -> [Item] {
    guard let mark = stack.lastIndex(where: { if case .mark = $0 { true } else { false } }) else {
      throw broken("there is no mark")
    }
    let items = Array(stack[(mark + 1)...])
    stack.removeSubrange(mark...)
    return items
  }

  private mutating func open(isDictionary: Bool) {
    containers.append(Container(isDictionary: isDictionary))
    stack.append(.open(containers.count - 1))
  }

  private mutating func tuple(_ count: Int) throws(PickleError.Reason) {
    guard stack.count >= count else { throw broken("the stack is empty") }
    let items = Array(stack.suffix(count))
    stack.removeLast(count)
    try makeTuple(items)
  }

  private mutating func makeTuple(_ items: [Item]) throws(PickleError.Reason) {
    // A tuple may hold storages and globals as call arguments, so it stays open until it is used.
    containers.append(Container(list: items, isDictionary: false))
    stack.append(.open(containers.count - 1))
  }

  private mutating func extend(_ items: [Item]) throws(PickleError.Reason) {
    guard case .open(let index)? = stack.last, !containers[index].isDictionary else {
      throw broken("elements are added to something that is not a list")
    }
    containers[index].list += items
  }

  private mutating func fill(_ items: [Item]) throws(PickleError.Reason) {
    guard case .open(let index)? = stack.last, containers[index].isDictionary,
      items.count.isMultiple(of: 2)
    else { throw broken("entries are added to something that is not a dictionary") }
    for place in stride(from: 0, to: items.count, by: 2) {
      containers[index].pairs.append((items[place], items[place + 1]))
    }
  }

  private mutating func remember(_ index: Int) throws(PickleError.Reason) {
    guard let item = stack.last else { throw broken("nothing to remember") }
    memo[index] = item
  }

  private mutating func recall(_ index: Int) throws(PickleError.Reason) {
    guard let item = memo[index] else { throw broken("the memo has no entry \(index)") }
    stack.append(item)
  }

  /// The value of an item after the program has ended.
  private mutating func value(_ item: Item, depth: Int) throws(PickleError.Reason) -> PickleValue {
    built += 1
    guard depth <= Self.depthLimit, built <= valueLimit else {
      throw .tooLarge("the pickle's values are too deeply nested or too many")
    }
    switch item {
    case .value(let value): return value
    case .global(.dtype(let name)): return .string(name)
    case .open(let index):
      if containers[index].isDictionary {
        var entries: [PickleValue.Entry] = []
        for (key, item) in containers[index].pairs {
          entries.append(
            .init(key: try value(key, depth: depth + 1), value: try value(item, depth: depth + 1)))
        }
        return .dictionary(entries)
      }
      var elements: [PickleValue] = []
      for item in containers[index].list { elements.append(try value(item, depth: depth + 1)) }
      return .list(elements)
    case .storage, .global, .mark: throw broken("a storage or a function where data is expected")
    }
  }

  // MARK: Globals and calls

  private static let storages: [String: DType] = [
    "DoubleStorage": .f64, "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16,
    "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8,
    "ByteStorage": .u8, "BoolStorage": .bool,
  ]

  private static let dtypes: Set<String> = [
    "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
  ]

  private mutating func global(_ name: String) throws(PickleError.Reason) {
    let result: Global
    switch name {
    case "collections.OrderedDict": result = .orderedDict
    case "torch._utils._rebuild_tensor_v2": result = .rebuildTensor
    case "torch._utils._rebuild_parameter": result = .rebuildParameter
    case "builtins.set", "__builtin__.set": result = .set
    default:
      let short = name.hasPrefix("torch.") ? String(name.dropFirst(6)) : ""
      if let dtype = Self.storages[short] {
        result = .storage(dtype)
      } else if Self.dtypes.contains(short) {
        result = .dtype(short)
      } else {
        throw .forbiddenGlobal(name)
      }
    }
    stack.append(.global(result))
  }

  /// `("storage", type, name, device, count)`.
  private mutating func persistent() throws(PickleError.Reason) {
    guard case .open(let index) = try pop() else { throw broken("a storage without a description") }
    let items = containers[index].list
    guard items.count == 5, case .value(.string("storage")) = items[0],
      case .global(.storage(let dtype)) = items[1], case .value(.string(let name)) = items[2],
      case .value(.integer(let count)) = items[4], count >= 0
    else { throw broken("a storage is described in an unknown way") }
    stack.append(.storage(dtype: dtype, name: name, count: count))
  }

  private mutating func call() throws(PickleError.Reason) {
    let arguments = try argumentItems(try pop())
    guard case .global(let function) = try pop() else {
      throw broken("a call of something that is not a function")
    }
    switch function {
    case .orderedDict:
      open(isDictionary: true)
      guard arguments.count <= 1, case .open(let target)? = stack.last else { return }
      for argument in arguments {
        for pair in try argumentItems(argument) {
          let items = try argumentItems(pair)
          guard items.count == 2 else { throw broken("an OrderedDict whose items are not pairs") }
          containers[target].pairs.append((items[0], items[1]))
        }
      }
    case .set:
      var items: [Item] = []
      if let first = arguments.first { items = try argumentItems(first) }
      containers.append(Container(list: items, isDictionary: false))
      stack.append(.open(containers.count - 1))
    case .rebuildTensor: stack.append(.value(.tensor(try tensor(arguments))))
    case .rebuildParameter:
      guard let data = arguments.first, case .value(.tensor) = data else {
        throw broken("a parameter without a tensor")
      }
      stack.append(data)
    case .storage, .dtype: throw broken("a type is called")
    }
  }

  private func argumentItems(_ item: Item) throws(PickleError.Reason) -> [Item] {
    switch item {
    case .open(let index) where !containers[index].isDictionary: return containers[index].list
    case .value(.list(let values)): return values.map { .value($0) }
    default: throw broken("call arguments are not a tuple")
    }
  }

  private func integers(_ item: Item) throws(PickleError.Reason) -> [Int] {
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
  private func tensor(_ arguments: [Item]) throws(PickleError.Reason) -> PickleTensor {
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

  // MARK: Bytes

  private mutating func byte() throws(PickleError.Reason) -> UInt8 {
    guard place < bytes.count else { throw broken("it ends in the middle") }
    place += 1
    return bytes[place - 1]
  }

  private mutating func raw(_ count: Int) throws(PickleError.Reason) -> [UInt8] {
    guard count >= 0, count <= bytes.count - place else { throw broken("it ends in the middle") }
    place += count
    return Array(bytes[place - count..<place])
  }

  private mutating func unsigned(_ size: Int) throws(PickleError.Reason) -> Int {
    let part = try raw(size)
    let number = part.enumerated().reduce(UInt64(0)) { $0 | UInt64($1.element) << (8 * $1.offset) }
    guard let result = Int(exactly: number) else { throw .tooLarge("a length is \(number)") }
    return result
  }

  private mutating func long() throws(PickleError.Reason) -> Int {
    let part = try raw(try unsigned(1))
    guard part.count <= 8 else { throw .tooLarge("a number has \(part.count) bytes") }
    guard let last = part.last else { return 0 }
    var number: UInt64 = last >= 0x80 ? .max : 0
    for byte in part.reversed() { number = number << 8 | UInt64(byte) }
    return Int(bitPattern: UInt(number))
  }

  private mutating func double() throws(PickleError.Reason) -> Double {
    Double(bitPattern: try raw(8).reduce(0) { $0 << 8 | UInt64($1) })
  }

  private mutating func text(_ count: Int) throws(PickleError.Reason) -> String {
    guard let text = String(validating: try raw(count), as: UTF8.self) else {
      throw broken("a text is not UTF-8")
    }
    return text
  }

  private mutating func line() throws(PickleError.Reason) -> String {
    guard let end = bytes[place...].firstIndex(of: 0x0A), end - place < 1024 else {
      throw broken("a name without end")
    }
    defer { place = end + 1 }
    return String(decoding: bytes[place..<end], as: UTF8.self)
  }
}
