extension PickleMachine {
  mutating func call() throws(PickleError.Reason) {
    let arguments = try argumentItems(try pop())
    guard case .global(let function) = try pop() else {
      throw broken("a call of something that is not a function")
    }
    switch function {
    case .orderedDict: try openDictionary(arguments.first)
    case .defaultDict: open(isDictionary: true)
    case .counter:
      guard case .open(let index)? = arguments.first, containers[index].isDictionary else {
        return open(isDictionary: true)
      }
      stack.append(.open(index))
    case .namespace:
      guard arguments.isEmpty else { throw broken("a namespace with arguments") }
      containers.append(Container(isDictionary: true, hasState: true))
      stack.append(.open(containers.count - 1))
    case .list:
      let items = if let first = arguments.first { try argumentItems(first) } else { [Item]() }
      try noteCopies(items.count)
      try makeTuple(items)
    case .rebuildTensor: push(.tensor(try tensor(arguments)))
    case .rebuildTypedTensor: push(try typedTensor(arguments))
    case .rebuildParameter:
      guard let data = arguments.first, case .value(.tensor) = data else {
        throw broken("a parameter without a tensor")
      }
      stack.append(data)
    case .path:
      push(.string(try texts(arguments).joined(separator: "/").replacing("//", with: "/")))
    case .device: push(.string(try device(arguments)))
    case .encode: push(.bytes(try encoded(arguments)))
    case .scalarType:
      scalarTypes.append(try NumPyScalarType(try text(arguments.first)))
      stack.append(.scalarType(scalarTypes.count - 1))
    case .scalar: push(try scalar(arguments))
    case .bytes:
      guard arguments.isEmpty else { throw broken("bytes that are not empty") }
      push(.bytes([]))
    case .byteArray:
      guard let first = arguments.first else { return push(.bytes([])) }
      guard case .value(.bytes) = first else { throw broken("a bytearray of something else") }
      stack.append(first)
    case .opaque(let name): push(.opaque(name))
    case .filledArray:
      // (bytes, type, shape, order)
      guard arguments.count == 4 else { throw broken("a numpy array in an unknown form") }
      try makeTuple(try elements(arguments[0], arguments[1]))
    case .array:
      guard case .global(.arrayType)? = arguments.first else { throw broken("an unknown array") }
      containers.append(Container(isDictionary: false, hasState: true))
      stack.append(.open(containers.count - 1))
    case .storage, .dtype, .type, .arrayType: throw broken("a type is called")
    }
  }

  /// Adds an object's state to it, where it matters.
  ///
  /// A state dictionary's state is metadata that is not needed.
  mutating func setState(_ state: Item) throws(PickleError.Reason) {
    switch stack.last {
    case .open(let index)? where containers[index].hasState && !containers[index].isDictionary:
      containers[index].list = try elements(ofArray: state)
    case .open(let index)? where containers[index].hasState:
      guard case .open(let attributes) = state, containers[attributes].isDictionary else {
        throw broken("the attributes of a namespace are not a dictionary")
      }
      try noteCopies(containers[attributes].pairs.count)
      containers[index].pairs += containers[attributes].pairs
    case .scalarType(let index)?:
      // (version, byte order, …)
      let parts = try argumentItems(state)
      guard parts.count > 1 else { throw broken("a numpy type without a byte order") }
      scalarTypes[index].isBigEndian = try text(parts[1]) == ">"
    case nil: throw broken("the stack is empty")
    default: break
    }
  }

  /// `(version, shape, type, is column-major, bytes)`: the values in the order of the bytes.
  private mutating func elements(ofArray state: Item) throws(PickleError.Reason) -> [Item] {
    let parts = try argumentItems(state)
    guard parts.count == 5 else { throw broken("a numpy array in an unknown form") }
    return try elements(parts[4], parts[2])
  }

  private mutating func elements(
    _ bytes: Item, _ type: Item
  ) throws(PickleError.Reason) -> [Item] {
    guard case .value(.bytes(let bytes)) = bytes, case .scalarType(let index) = type else {
      throw broken("a numpy array in an unknown form")
    }
    let type = scalarTypes[index]
    guard type.byteCount > 0, bytes.count.isMultiple(of: type.byteCount) else {
      throw broken("a numpy array whose bytes do not fit its type")
    }
    try noteCopies(bytes.count / type.byteCount)
    var elements: [Item] = []
    for start in stride(from: 0, to: bytes.count, by: type.byteCount) {
      guard let value = type.value(Array(bytes[start..<start + type.byteCount])) else {
        throw broken("a numpy array with an impossible value")
      }
      elements.append(.value(value))
    }
    return elements
  }

  private mutating func openDictionary(_ pairs: Item?) throws(PickleError.Reason) {
    open(isDictionary: true)
    guard let pairs, case .open(let target)? = stack.last else { return }
    let all = try argumentItems(pairs)
    try noteCopies(all.count)
    for pair in all {
      let items = try argumentItems(pair)
      guard items.count == 2 else { throw broken("an OrderedDict whose items are not pairs") }
      containers[target].pairs.append((items[0], items[1]))
    }
  }

  private func text(_ item: Item?) throws(PickleError.Reason) -> String {
    guard case .value(.string(let text))? = item else { throw broken("a name is not a text") }
    return text
  }

  private func texts(_ items: [Item]) throws(PickleError.Reason) -> [String] {
    var result: [String] = []
    for item in items { result.append(try text(item)) }
    return result
  }

  private func device(_ arguments: [Item]) throws(PickleError.Reason) -> String {
    let kind = try text(arguments.first)
    guard arguments.count > 1, case .value(.integer(let index)) = arguments[1] else { return kind }
    return "\(kind):\(index)"
  }

  /// `(text, "latin1")`: bytes as characters of the same numbers.
  private func encoded(_ arguments: [Item]) throws(PickleError.Reason) -> [UInt8] {
    guard arguments.count == 2, ["latin1", "latin-1"].contains(try text(arguments[1])) else {
      throw broken("bytes in an unknown encoding")
    }
    var bytes: [UInt8] = []
    for scalar in try text(arguments[0]).unicodeScalars {
      guard let byte = UInt8(exactly: scalar.value) else {
        throw broken("a byte above 255")
      }
      bytes.append(byte)
    }
    return bytes
  }

  /// `(type, bytes)`.
  private func scalar(_ arguments: [Item]) throws(PickleError.Reason) -> PickleValue {
    guard arguments.count == 2, case .scalarType(let index) = arguments[0],
      case .value(.bytes(let bytes)) = arguments[1],
      let value = scalarTypes[index].value(bytes)
    else { throw broken("a numpy number whose bytes do not fit its type") }
    return value
  }
}
