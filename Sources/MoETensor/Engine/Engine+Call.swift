extension Engine {
  /// Calls any libtorch operation that takes only tensors and returns one.
  ///
  /// For operations that ``Tensor`` lacks; the ones it has are checked at compile time.
  ///
  /// - Parameters:
  ///   - name: Name in libtorch's native functions, for example `mm`.
  ///   - overload: Name of the overload, empty for the only one.
  ///   - arguments: The tensors, in the order of the operation's schema.
  /// - Returns: The result.
  /// - Throws: ``TensorError/unknownOperation(name:message:)`` or
  ///   ``TensorError/operationFailed(name:arguments:message:)``.
  package static func call(
    _ name: String, _ overload: String, _ arguments: [Tensor]
  ) throws(TensorError) -> Tensor {
    let operation = try Operator(finding: name, overload)
    return try operation.checked(spreading: arguments)
  }
}
