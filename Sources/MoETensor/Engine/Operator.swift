import CTorch
import MoECore

/// An operation of libtorch's dispatcher, found once by name.
///
/// Every function of ``Tensor`` makes one or a few of these calls. Arguments follow the operation's
/// schema; omitted trailing ones take the schema's defaults.
@safe struct Operator: Sendable {
  let name: String
  // Points to an immutable structure that is never freed.
  private nonisolated(unsafe) let handle: OpaquePointer

  /// Finds an operation that must exist.
  init(_ name: String, _ overload: String = "") {
    do {
      try self.init(finding: name, overload)
    } catch {
      programmerError("\(error)")
    }
  }

  /// Finds an operation, or throws if there is none; the default namespace is `aten`.
  init(finding name: String, _ overload: String) throws(TensorError) {
    var handle: OpaquePointer?
    guard
      unsafe ctorch_operator_find(
        name.contains("::") ? name : "aten::" + name, overload, &handle) == 0,
      let found = unsafe handle
    else { throw .unknownOperation(name: name, message: Engine.lastError) }
    self.name = name
    unsafe self.handle = found
  }

  /// Calls an operation with one result; wrong shapes or types end the program.
  @inline(__always)
  func callAsFunction<each Argument: OperatorArgument>(_ arguments: repeat each Argument) -> Tensor
  {
    repeat (each arguments).push()
    var result: OpaquePointer?
    var count = 0
    guard unsafe ctorch_call(handle, &result, 1, &count) == 0, let result = unsafe result else {
      programmerError("\(failure(repeat each arguments))")
    }
    return unsafe Tensor(owning: result)
  }

  /// Calls an operation that returns several results, or a list of them.
  func results<each Argument: OperatorArgument>(
    _ capacity: Int, _ arguments: repeat each Argument
  ) -> [Tensor] {
    do {
      return try checkedResults(capacity, repeat each arguments)
    } catch {
      programmerError("\(error)")
    }
  }

  /// Calls the operation for its effect on its first argument.
  func update<each Argument: OperatorArgument>(_ arguments: repeat each Argument) {
    _ = results(0, repeat each arguments)
  }

  /// Calls an operation with one result on a list of tensors; invalid arguments throw an error.
  func checked(spreading arguments: [Tensor]) throws(TensorError) -> Tensor {
    try checkedResults(1, Spread(tensors: arguments))[0]
  }

  private func checkedResults<each Argument: OperatorArgument>(
    _ capacity: Int, _ arguments: repeat each Argument
  ) throws(TensorError) -> [Tensor] {
    repeat (each arguments).push()
    var handles = unsafe [OpaquePointer?](repeating: nil, count: capacity)
    var count = 0
    guard unsafe ctorch_call(handle, &handles, capacity, &count) == 0 else {
      throw failure(repeat each arguments)
    }
    return unsafe handles.prefix(count).compactMap { unsafe $0.map { unsafe Tensor(owning: $0) } }
  }

  private func failure<each Argument: OperatorArgument>(
    _ arguments: repeat each Argument
  ) -> TensorError {
    var texts: [String] = []
    let message = Engine.lastError
    repeat texts.append((each arguments).summary)
    return .operationFailed(name: name, arguments: texts.joined(separator: ", "), message: message)
  }
}

/// A value that can be an argument of an operation.
protocol OperatorArgument {
  /// Adds the value to the arguments of this thread's next call.
  func push()
  /// A short text for error messages.
  var summary: String { get }
}

extension OperatorArgument {
  var summary: String { "\(self)" }
}

extension Tensor: OperatorArgument {
  @inline(__always) func push() { unsafe withHandle { unsafe ctorch_push_tensor($0) } }
  var summary: String { "\(dtype) \(shape)" }
}

extension Int: OperatorArgument {
  @inline(__always) func push() { ctorch_push_int(Int64(self)) }
}

extension Double: OperatorArgument {
  @inline(__always) func push() { ctorch_push_double(self) }
}

extension Bool: OperatorArgument {
  @inline(__always) func push() { ctorch_push_bool(self) }
}

extension String: OperatorArgument {
  func push() { unsafe ctorch_push_string(self) }
}

extension DType: OperatorArgument {
  @inline(__always) func push() { ctorch_push_int(Int64(native.rawValue)) }
}

extension Device: OperatorArgument {
  func push() { ctorch_push_device(native.kind, native.index) }
}

extension Optional: OperatorArgument where Wrapped: OperatorArgument {
  @inline(__always) func push() {
    if let value = self { value.push() } else { ctorch_push_none() }
  }
  var summary: String { map(\.summary) ?? "none" }
}

extension Array: OperatorArgument where Element: ListElement {
  func push() { Element.push(self) }
  var summary: String { Element.summary(self) }
}

/// Several consecutive tensor arguments.
private struct Spread: OperatorArgument {
  var tensors: [Tensor]
  func push() { for tensor in tensors { tensor.push() } }
  var summary: String { tensors.map(\.summary).joined(separator: ", ") }
}

/// An empty list of optional numbers, which libtorch distinguishes from other empty lists.
struct NoNumbers: OperatorArgument {
  func push() { ctorch_push_no_numbers() }
}

/// An element of a list that can be an argument of an operation.
protocol ListElement {
  static func push(_ list: [Self])
  static func summary(_ list: [Self]) -> String
}

extension Int: ListElement {
  static func push(_ list: [Int]) {
    unsafe list.withUnsafeBufferPointer { buffer in
      // Int and Int64 have the same layout on every 64-bit platform.
      unsafe buffer.withMemoryRebound(to: Int64.self) {
        unsafe ctorch_push_ints($0.baseAddress, $0.count)
      }
    }
  }
  static func summary(_ list: [Int]) -> String { "\(list)" }
}

extension Tensor: ListElement {
  static func push(_ list: [Tensor]) {
    unsafe Tensor.withHandles(list) { unsafe ctorch_push_tensors($0, $1) }
  }
  static func summary(_ list: [Tensor]) -> String {
    "[" + list.map(\.summary).joined(separator: ", ") + "]"
  }
}

/// An omitted argument.
let none: Int? = nil

extension Tensor {
  /// Calls one of the operations that libtorch has as functions, too, which cost less than its dispatcher; wrong shapes
  /// end the program.
  @inline(__always)
  static func direct(
    _ name: String, _ arguments: @autoclosure () -> String,
    _ call: (_ out: UnsafeMutablePointer<OpaquePointer?>) -> CInt
  ) -> Tensor {
    var result: OpaquePointer?
    guard unsafe call(&result) == 0, let result = unsafe result else {
      let error = TensorError.operationFailed(
        name: name, arguments: arguments(), message: Engine.lastError)
      programmerError("\(error)")
    }
    return unsafe Tensor(owning: result)
  }
}

extension [Int] {
  /// The sizes as C reads them.
  @inline(__always)
  func withUnsafeSizes<Result>(_ body: (UnsafePointer<Int64>?, Int) -> Result) -> Result {
    unsafe withUnsafeBufferPointer { buffer in
      unsafe buffer.withMemoryRebound(to: Int64.self) { unsafe body($0.baseAddress, $0.count) }
    }
  }
}
