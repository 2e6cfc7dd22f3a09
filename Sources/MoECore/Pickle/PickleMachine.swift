/// Interprets the opcodes that plain data and tensors need, and rejects all others by name.
///
/// The only results are ``PickleValue``s: a global is a name on an allow list, and calling one
/// builds a tensor description, a container or a number. Steps, depth and sizes are bounded.
///
/// - SeeAlso: Python's `pickletools.py`, which documents the opcodes.
struct PickleMachine {
  /// What can lie on the stack.
  enum Item {
    case value(PickleValue)
    case global(Global)
    case mark
    case storage(dtype: DType, name: String, count: Int)
    /// The type of numpy's scalars, whose byte order a later opcode sets.
    case scalarType(Int)
    /// A container that later opcodes may still fill, shared through the memo.
    case open(Int)
  }

  struct Container {
    var list: [Item] = []
    var pairs: [(Item, Item)] = []
    var isDictionary: Bool
    /// Whether it stands for an object whose attributes its state adds.
    var hasState = false
  }

  let bytes: [UInt8]
  var place = 0
  var stack: [Item] = []
  var memo: [Int: Item] = [:]
  var containers: [Container] = []
  var scalarTypes: [NumPyScalarType] = []
  var built = 0
  /// Elements that calls copied from one container into another.
  var copied = 0

  /// The maximum nesting depth of values.
  static let depthLimit = 64
  /// The most values that a pickle may create: real ones need fewer than they have bytes.
  var valueLimit: Int { 1000 + 8 * bytes.count }

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

  /// Bounds what calls copy: a few bytes could otherwise double a container again and again.
  mutating func noteCopies(_ count: Int) throws(PickleError.Reason) {
    copied += count
    guard copied <= valueLimit else { throw .tooLarge("the pickle's values are too many") }
  }

  func broken(_ problem: String) -> PickleError.Reason {
    .invalidPickle(offset: place, problem)
  }

  // MARK: Opcodes

  mutating func step(_ code: UInt8, _ start: Int) throws(PickleError.Reason) {
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
    case 0x8A: push(try integer(try unsigned(1)))
    case 0x8B: push(try integer(try unsigned(4)))
    case UInt8(ascii: "G"): push(.float(try double()))
    case UInt8(ascii: "X"): push(.string(try text(try unsigned(4))))
    case 0x8C: push(.string(try text(try unsigned(1))))
    case 0x8D: push(.string(try text(try unsigned(8))))
    case UInt8(ascii: "U"): push(.string(try text(try unsigned(1))))
    case UInt8(ascii: "B"): push(.bytes(try raw(try unsigned(4))))
    case UInt8(ascii: "C"): push(.bytes(try raw(try unsigned(1))))
    case 0x8E, 0x96: push(.bytes(try raw(try unsigned(8))))
    default: try structure(code, start)
    }
  }

  mutating func structure(_ code: UInt8, _ start: Int) throws(PickleError.Reason) {
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
    case UInt8(ascii: "R"), 0x81: try call()
    case 0x92:
      guard case .open(let index) = try pop(), containers[index].pairs.isEmpty else {
        throw broken("a call with named arguments")
      }
      try call()
    case 0x91: try makeTuple(try popToMark())  // a frozenset
    case UInt8(ascii: "b"): try setState(try pop())
    default: throw .unknownOpcode(code, offset: start)
    }
  }

  // MARK: Values

  mutating func push(_ value: PickleValue) { stack.append(.value(value)) }

  mutating func pop() throws(PickleError.Reason) -> Item {
    guard let item = stack.popLast() else { throw broken("the stack is empty") }
    return item
  }

  mutating func popToMark() throws(PickleError.Reason) -> [Item] {
    guard let mark = stack.lastIndex(where: { if case .mark = $0 { true } else { false } }) else {
      throw broken("there is no mark")
    }
    let items = Array(stack[(mark + 1)...])
    stack.removeSubrange(mark...)
    return items
  }

  mutating func open(isDictionary: Bool) {
    containers.append(Container(isDictionary: isDictionary))
    stack.append(.open(containers.count - 1))
  }

  mutating func tuple(_ count: Int) throws(PickleError.Reason) {
    guard stack.count >= count else { throw broken("the stack is empty") }
    let items = Array(stack.suffix(count))
    stack.removeLast(count)
    try makeTuple(items)
  }

  mutating func makeTuple(_ items: [Item]) throws(PickleError.Reason) {
    // A tuple may hold storages and globals as call arguments, so it stays open until it is used.
    containers.append(Container(list: items, isDictionary: false))
    stack.append(.open(containers.count - 1))
  }

  mutating func extend(_ items: [Item]) throws(PickleError.Reason) {
    guard case .open(let index)? = stack.last, !containers[index].isDictionary else {
      throw broken("elements are added to something that is not a list")
    }
    containers[index].list += items
  }

  mutating func fill(_ items: [Item]) throws(PickleError.Reason) {
    guard case .open(let index)? = stack.last, containers[index].isDictionary,
      items.count.isMultiple(of: 2)
    else { throw broken("entries are added to something that is not a dictionary") }
    for place in stride(from: 0, to: items.count, by: 2) {
      containers[index].pairs.append((items[place], items[place + 1]))
    }
  }

  mutating func remember(_ index: Int) throws(PickleError.Reason) {
    guard let item = stack.last else { throw broken("nothing to remember") }
    memo[index] = item
  }

  mutating func recall(_ index: Int) throws(PickleError.Reason) {
    guard let item = memo[index] else { throw broken("the memo has no entry \(index)") }
    stack.append(item)
  }

  /// The value of an item after the program has ended.
  mutating func value(_ item: Item, depth: Int) throws(PickleError.Reason) -> PickleValue {
    built += 1
    guard depth <= Self.depthLimit, built <= valueLimit else {
      throw .tooLarge("the pickle's values are too deeply nested or too many")
    }
    switch item {
    case .value(let value): return value
    case .global(.dtype(let name)): return .string(name)
    case .global(let global) where global.isType: return .opaque("a type")
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
    case .scalarType(let index): return .string(scalarTypes[index].name)
    case .storage, .global, .mark: throw broken("a storage or a function where data is expected")
    }
  }
}
