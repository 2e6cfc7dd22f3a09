import CTorch
public import MoECore

private let fullOperator = Operator("full")
private let arangeOperator = Operator("arange", "start_step")
private let eyeOperator = Operator("eye")

extension Tensor {
  /// A CPU tensor with the given elements.
  ///
  /// - Parameters:
  ///   - elements: The elements, row-major; their count is the product of `shape`.
  ///   - shape: Dimensions, outermost first; by default one dimension.
  public init<Element: TensorScalar>(_ elements: [Element], shape: [Int]? = nil) {
    self = unsafe elements.withUnsafeBytes {
      unsafe Tensor(copying: $0, dtype: Element.dtype, shape: shape ?? [elements.count])
    }
  }

  /// A CPU tensor with the elements of a span.
  ///
  /// - Parameters:
  ///   - elements: The elements, row-major; their count is the product of `shape`.
  ///   - shape: Dimensions, outermost first.
  public init<Element: TensorScalar>(_ elements: Span<Element>, shape: [Int]) {
    self = unsafe elements.withUnsafeBytes {
      unsafe Tensor(copying: $0, dtype: Element.dtype, shape: shape)
    }
  }

  /// A CPU tensor without dimensions that holds a scalar.
  public init<Element: TensorScalar>(_ element: Element) {
    self.init([element], shape: [])
  }

  @unsafe private init(copying bytes: UnsafeRawBufferPointer, dtype: DType, shape: [Int]) {
    var handle: OpaquePointer?
    let sizes = shape.map(Int64.init)
    require(
      shape.allSatisfy { $0 >= 0 } && shape.reduce(1, *) * dtype.byteSize == bytes.count,
      "\(bytes.count / dtype.byteSize) elements do not fill the shape \(shape)")
    let status = unsafe ctorch_tensor_copying(
      bytes.baseAddress, bytes.count, dtype.native, sizes, sizes.count, &handle)
    guard status == 0, let handle = unsafe handle else { programmerError(Engine.lastError) }
    unsafe self.init(owning: handle)
  }

  /// A CPU tensor that uses the bytes of a mapped file, which stays open as long as needed.
  ///
  /// No bytes are copied, unless the offset in the file is not a multiple of the element size.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - range: The range of the elements, row-major and little-endian, in bytes from the file's
  ///     start.
  ///   - dtype: Element type.
  ///   - shape: Dimensions, outermost first.
  /// - Throws: ``TensorError/invalidStorage(message:)`` when range, shape and type disagree.
  public init(
    mapping file: MappedFile, range: Range<Int>, dtype: DType, shape: [Int]
  ) throws(TensorError) {
    let needed = SafetensorsEntry.byteCount(shape: shape, dtype: dtype)
    guard range.lowerBound >= 0, range.upperBound <= file.count, range.count == needed else {
      throw .invalidStorage(
        message: "\(dtype) \(shape) does not fill bytes \(range) of a file of \(file.count) bytes")
    }
    defer { extendLifetime(file) }
    let bytes = unsafe UnsafeRawBufferPointer(rebasing: file.bytes[range])
    guard unsafe dtype != .bool || bytes.allSatisfy({ $0 <= 1 }) else {
      throw .invalidStorage(message: "Booleans must be 0 or 1; another byte is among \(range)")
    }
    guard range.lowerBound.isMultiple(of: dtype.byteSize), range.count > 0 else {
      unsafe self.init(copying: bytes, dtype: dtype, shape: shape)
      return
    }
    let owner = unsafe Unmanaged.passRetained(file)
    let sizes = shape.map(Int64.init)
    var handle: OpaquePointer?
    let status = unsafe ctorch_tensor_borrowing(
      bytes.baseAddress, dtype.native, sizes, sizes.count,
      { owner in
        guard let owner = unsafe owner else { return }
        unsafe Unmanaged<MappedFile>.fromOpaque(owner).release()
      }, owner.toOpaque(), &handle)
    guard status == 0, let handle = unsafe handle else {
      throw .invalidStorage(message: Engine.lastError)
    }
    unsafe self.init(owning: handle)
  }

  /// A tensor whose elements are all `value`.
  ///
  /// - Parameters:
  ///   - value: The number; integers are written without a fraction.
  ///   - shape: Dimensions, outermost first.
  ///   - dtype: Element type.
  ///   - device: The tensor's device.
  /// - Returns: The tensor.
  public static func full(
    _ value: Double, _ shape: [Int], dtype: DType = .f32, on device: Device = .cpu
  ) -> Tensor {
    fullOperator(shape, value, dtype, none, device)
  }

  /// A tensor of zeros, or of `false`.
  public static func zeros(_ shape: [Int], dtype: DType = .f32, on device: Device = .cpu) -> Tensor
  {
    full(0, shape, dtype: dtype, on: device)
  }

  /// A tensor of ones, or of `true`.
  public static func ones(_ shape: [Int], dtype: DType = .f32, on device: Device = .cpu) -> Tensor {
    full(1, shape, dtype: dtype, on: device)
  }

  /// A tensor with uninitialized elements, for functions that fill it.
  package static func uninitialized(_ shape: [Int], dtype: DType) -> Tensor {
    unsafe direct("empty", "\(dtype) \(shape)") { out in
      unsafe shape.withUnsafeSizes { unsafe ctorch_tensor_empty(dtype.native, $0, $1, out) }
    }
  }

  /// The integers of `range`, shape `[range.count]`, of type i64.
  public static func range(_ range: Range<Int>, on device: Device = .cpu) -> Tensor {
    arangeOperator(range.lowerBound, range.upperBound, 1, DType.i64, none, device)
  }

  /// Ones on the diagonal, zeros elsewhere, shape `[size, size]`.
  public static func identity(_ size: Int, dtype: DType = .f32, on device: Device = .cpu) -> Tensor
  {
    eyeOperator(size, dtype, none, device)
  }

  /// Zeros with this tensor's shape, type and device.
  public func zerosLike() -> Tensor { Tensor.zeros(shape, dtype: dtype, on: device) }
}
