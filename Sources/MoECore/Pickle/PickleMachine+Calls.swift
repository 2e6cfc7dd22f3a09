extension PickleMachine {
  /// What a pickle may name; each is a rule of this file, and nothing of Python's is ever run.
  enum Global: Hashable {
    case orderedDict, rebuildTensor, rebuildParameter, list
    case storage(DType)
    case dtype(String)
    /// An object that is nothing but its attributes.
    case namespace
    /// A dictionary with a factory for missing keys, or that counts.
    case defaultDict, counter
    case path, device
    /// A number of numpy's, its type, and how protocol 2 writes its bytes.
    case scalar, scalarType, encode, bytes
    /// An array of numpy's: its class, and the function that makes an empty one, which its state fills.
    case arrayType, array
    /// A type of Python's, as the factory of a dictionary.
    case type
  }

  private static let globals: [String: Global] = [
    "collections.OrderedDict": .orderedDict, "torch._utils._rebuild_tensor_v2": .rebuildTensor,
    "torch._utils._rebuild_parameter": .rebuildParameter, "builtins.set": .list,
    "__builtin__.set": .list, "builtins.frozenset": .list, "__builtin__.frozenset": .list,
    "torch.Size": .list, "argparse.Namespace": .namespace, "types.SimpleNamespace": .namespace,
    "collections.defaultdict": .defaultDict, "collections.Counter": .counter,
    "pathlib.PosixPath": .path, "pathlib.PurePosixPath": .path, "pathlib.WindowsPath": .path,
    "pathlib.PureWindowsPath": .path, "pathlib._local.PosixPath": .path,
    "pathlib._local.WindowsPath": .path, "torch.device": .device,
    "numpy.core.multiarray.scalar": .scalar, "numpy._core.multiarray.scalar": .scalar,
    "numpy.dtype": .scalarType, "_codecs.encode": .encode, "builtins.bytes": .bytes,
    "__builtin__.bytes": .bytes, "numpy.ndarray": .arrayType,
    "numpy.core.multiarray._reconstruct": .array, "numpy._core.multiarray._reconstruct": .array,
    "builtins.int": .type, "__builtin__.int": .type, "builtins.float": .type,
    "__builtin__.float": .type, "builtins.list": .type, "__builtin__.list": .type,
    "builtins.dict": .type, "__builtin__.dict": .type,
  ]

  mutating func global(_ name: String) throws(PickleError.Reason) {
    let short = name.hasPrefix("torch.") ? String(name.dropFirst(6)) : ""
    if let known = Self.globals[name] {
      stack.append(.global(known))
    } else if let dtype = Self.storages[short] {
      stack.append(.global(.storage(dtype)))
    } else if Self.dtypes.contains(short) {
      stack.append(.global(.dtype(short)))
    } else {
      throw .forbiddenGlobal(name)
    }
  }

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
    case .rebuildTensor: stack.append(.value(.tensor(try tensor(arguments))))
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
    guard parts.count == 5, case .scalarType(let index) = parts[2],
      case .value(.bytes(let bytes)) = parts[4]
    else { throw broken("a numpy array in an unknown form") }
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
