extension PickleMachine {
  /// What a pickle may name; each is a rule of this folder, and nothing of Python's is ever run.
  enum Global: Hashable {
    case orderedDict, rebuildTensor, rebuildParameter, list
    /// A tensor of bytes, with the type of its elements.
    case rebuildTypedTensor
    case storage(DType)
    case dtype(String)
    /// An object that is nothing but its attributes.
    case namespace
    /// A dictionary with a factory for missing keys, or that counts.
    case defaultDict, counter
    case path, device
    /// A number of numpy's, its type, and how protocol 2 writes its bytes.
    case scalar, scalarType, encode, bytes, byteArray
    /// An array of numpy's: its class, the function that makes an empty one, which its state fills, and the one that
    /// makes it of bytes.
    case arrayType, array, filledArray
    /// A type of Python's that is only named, as the factory of a dictionary.
    case type
    /// A type of Python's whose values are plain, but mean nothing here.
    case opaque(String)

    /// Whether it may stand where a value is expected.
    var isType: Bool {
      switch self {
      case .orderedDict, .list, .namespace, .defaultDict, .counter, .path, .device, .scalarType,
        .bytes, .byteArray, .arrayType, .type, .opaque:
        true
      case .rebuildTensor, .rebuildParameter, .rebuildTypedTensor, .storage, .dtype, .scalar,
        .encode, .array, .filledArray:
        false
      }
    }
  }

  private static let globals: [String: Global] = [
    "collections.OrderedDict": .orderedDict, "collections.deque": .list,
    "torch._utils._rebuild_tensor_v2": .rebuildTensor,
    "torch._utils._rebuild_tensor_v3": .rebuildTypedTensor,
    "torch._utils._rebuild_parameter": .rebuildParameter,
    "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
    "torch.storage.UntypedStorage": .storage(.u8), "torch.UntypedStorage": .storage(.u8),
    "torch.Size": .list, "argparse.Namespace": .namespace, "types.SimpleNamespace": .namespace,
    "collections.defaultdict": .defaultDict, "collections.Counter": .counter,
    "pathlib.PosixPath": .path, "pathlib.PurePosixPath": .path, "pathlib.WindowsPath": .path,
    "pathlib.PureWindowsPath": .path, "pathlib._local.PosixPath": .path,
    "pathlib._local.WindowsPath": .path, "torch.device": .device,
    "numpy.core.multiarray.scalar": .scalar, "numpy._core.multiarray.scalar": .scalar,
    "numpy.dtype": .scalarType, "_codecs.encode": .encode, "numpy.ndarray": .arrayType,
    "numpy.core.multiarray._reconstruct": .array, "numpy._core.multiarray._reconstruct": .array,
    "numpy.core.numeric._frombuffer": .filledArray,
    "numpy._core.numeric._frombuffer": .filledArray,
  ]

  /// Types of the modules `builtins` and, as protocol 2 names them, `__builtin__`.
  private static let builtins: [String: Global] = [
    "set": .list, "frozenset": .list, "bytes": .bytes, "bytearray": .byteArray,
    "complex": .opaque("complex"), "slice": .opaque("slice"), "range": .opaque("range"),
    "xrange": .opaque("range"), "int": .type, "long": .type, "float": .type, "bool": .type,
    "str": .type, "unicode": .type, "list": .type, "tuple": .type, "dict": .type,
  ]

  private static let times: Set<String> = ["datetime", "date", "time", "timedelta", "timezone"]

  private static func known(_ name: String) -> Global? {
    if let known = globals[name] { return known }
    func rest(after module: String) -> String? {
      name.hasPrefix(module) ? String(name.dropFirst(module.count)) : nil
    }
    if let type = rest(after: "builtins.") ?? rest(after: "__builtin__.") { return builtins[type] }
    if let time = rest(after: "datetime.") { return times.contains(time) ? .opaque(time) : nil }
    guard let short = rest(after: "torch.") else { return nil }
    return storages[short].map { .storage($0) } ?? (hasDType(short) ? .dtype(short) : nil)
  }

  mutating func global(_ name: String) throws(PickleError.Reason) {
    guard let known = Self.known(name) else { throw .forbiddenGlobal(name) }
    stack.append(.global(known))
  }
}
