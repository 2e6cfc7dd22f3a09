import CTorch
import MoECore

extension Tensor {
  /// The elements, row-major, from any device.
  ///
  /// - Precondition: `Element` is the Swift type of ``dtype``.
  public func array<Element: TensorScalar>(of type: Element.Type = Element.self) -> [Element] {
    requireElements(type)
    let count = self.count
    return unsafe [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      let status = unsafe withHandle { handle in
        unsafe ctorch_tensor_read(handle, bytes.baseAddress, count * MemoryLayout<Element>.stride)
      }
      require(status == 0, Engine.lastError)
      initialized = count
    }
  }

  /// The only element of a tensor with one element.
  ///
  /// - Precondition: There is one element, and `Element` is the Swift type of ``dtype``.
  public func item<Element: TensorScalar>(as type: Element.Type = Element.self) -> Element {
    require(count == 1, "the only element of a tensor of shape \(shape)")
    return array(of: type)[0]
  }

  /// Reads the elements, row-major, without copying them if they are contiguous on the CPU.
  ///
  /// - Parameters:
  ///   - type: The Swift type of ``dtype``.
  ///   - body: Receives the elements; the span is valid during the call.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  public func withSpan<Element: TensorScalar, Result, Failure: Error>(
    of type: Element.Type = Element.self, _ body: (Span<Element>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    requireElements(type)
    let source = hostContiguous()
    let start = unsafe source.withHandle { unsafe ctorch_tensor_elements($0) }?.assumingMemoryBound(
      to: Element.self)
    let buffer = unsafe UnsafeBufferPointer(start: start, count: source.count)
    // The local variable keeps the elements alive during the call.
    defer { extendLifetime(source) }
    return try body(unsafe buffer.span)
  }

  /// Reads the elements as bytes, row-major and little-endian.
  ///
  /// - Throws: What `body` throws.
  public func withBytes<Result, Failure: Error>(
    _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let source = hostContiguous()
    let bytes = unsafe UnsafeRawBufferPointer(
      start: source.withHandle { unsafe ctorch_tensor_elements($0) }, count: source.byteCount.bytes)
    defer { extendLifetime(source) }
    return try body(unsafe bytes.bytes)
  }

  private func hostContiguous() -> Tensor {
    let host = device == .cpu ? self : moved(to: .cpu)
    return host.contiguous()
  }

  private func requireElements<Element: TensorScalar>(_ type: Element.Type) {
    require(dtype == Element.dtype, "elements of type \(dtype) read as \(Element.dtype)")
  }
}
