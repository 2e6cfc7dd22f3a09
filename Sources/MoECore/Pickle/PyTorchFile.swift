public import SystemPackage

/// A file that `torch.save` wrote: tensors and plain data in a zip container.
///
/// Nothing in it is executed.
///
/// A fixed set of opcodes is interpreted, and a fixed list of names is known: the functions that rebuild tensors and
/// parameters, storage and element types, and harmless values that stand beside weights, such as sets, dictionaries,
/// `argparse.Namespace`, paths and numpy's numbers. Everything else is rejected by name.
public final class PyTorchFile: Sendable {
  /// What was saved.
  public let value: PickleValue
  private let file: MappedFile
  private let records: [String: Range<Int>]
  private let prefix: String

  /// The longest pickle that is read, in bytes; tensors' elements are not part of it.
  private static let pickleLimit = 500_000_000

  /// Opens a file.
  ///
  /// - Throws: ``PickleError`` or ``FileError``.
  public init(_ path: FilePath) throws {
    file = try MappedFile(path)
    do {
      records = try file.withBytes { bytes throws(PickleError.Reason) in
        try ZipDirectory(bytes).records
      }
      let names = records.keys.filter { $0.hasSuffix("/data.pkl") }.sorted()
      guard let name = names.first, names.count == 1, let range = records[name] else {
        throw PickleError.Reason.invalidContainer("it holds no record data.pkl, or several")
      }
      guard range.count <= Self.pickleLimit else {
        throw PickleError.Reason.tooLarge("its pickle has \(range.count) bytes")
      }
      prefix = String(name.dropLast("data.pkl".count))
      if let order = records[prefix + "byteorder"],
        file.withBytes(in: order, { $0.text(0..<$0.byteCount) }) != "little"
      {
        throw PickleError.Reason.invalidContainer("its numbers are big-endian")
      }
      var machine = PickleMachine(
        file.copied(range))
      value = try machine.run()
    } catch let reason as PickleError.Reason {
      throw PickleError(path: path, reason: reason)
    }
  }

  /// The file's path.
  public var path: FilePath { file.path }

  /// Releases the memory of pages that were read; they are read again when needed.
  package func discardPages() { file.discardPages() }

  /// The bytes of a tensor's elements, row-major and little-endian.
  ///
  /// - Throws: ``PickleError`` when its storage is missing or too short.
  public func bytes(of tensor: PickleTensor) throws(PickleError) -> [UInt8] {
    let size = tensor.dtype.byteSize
    guard let range = records[prefix + "data/" + tensor.storage] else {
      throw PickleError(
        path: path, reason: .invalidContainer("it holds no storage '\(tensor.storage)'"))
    }
    guard tensor.count > 0 else { return [] }
    let last = zip(tensor.shape, tensor.strides).reduce(tensor.offset) { $0 + ($1.0 - 1) * $1.1 }
    guard last < range.count / size, tensor.count <= Self.elementLimit else {
      throw PickleError(
        path: path,
        reason: .invalidContainer("storage '\(tensor.storage)' is shorter than its tensor"))
    }
    if tensor.isRowMajor {
      let start = range.lowerBound + tensor.offset * size
      return file.copied(start..<start + tensor.count * size)
    }
    return file.withBytes(in: range) { bytes in
      var result: [UInt8] = []
      result.reserveCapacity(tensor.count * size)
      var index = [Int](repeating: 0, count: tensor.shape.count)
      var place = tensor.offset
      for _ in 0..<tensor.count {
        for byte in 0..<size { result.append(bytes.u8(place * size + byte)) }
        var axis = tensor.shape.count - 1
        while axis >= 0 {
          index[axis] += 1
          place += tensor.strides[axis]
          if index[axis] < tensor.shape[axis] { break }
          place -= tensor.strides[axis] * tensor.shape[axis]
          index[axis] = 0
          axis -= 1
        }
      }
      return result
    }
  }

  /// The most elements of a tensor: with strides of 0, a small file could otherwise claim any
  /// number.
  private static let elementLimit = 4_000_000_000

  /// A tensor's elements as integers, row-major.
  ///
  /// - Throws: ``PickleError`` when they are not integers, or as ``bytes(of:)``.
  public func integers(of tensor: PickleTensor) throws(PickleError) -> [Int] {
    guard !tensor.dtype.isFloatingPoint else {
      throw PickleError(
        path: path,
        reason: .invalidContainer("a tensor of \(tensor.dtype) where integers are expected"))
    }
    let (bytes, size) = (try bytes(of: tensor), tensor.dtype.byteSize)
    let isSigned = [.i8, .i16, .i32, .i64].contains(tensor.dtype)
    return stride(from: 0, to: bytes.count, by: size).map { start in
      var number: UInt64 = isSigned && bytes[start + size - 1] >= 0x80 ? .max : 0
      for byte in bytes[start..<start + size].reversed() { number = number << 8 | UInt64(byte) }
      return Int(truncatingIfNeeded: number)
    }
  }
}
