/// The bytes of an `.npy` file, version 1, in C order.
package enum NumPyBytes {
  /// An array of numbers of the host's layout.
  ///
  /// - Parameters:
  ///   - numbers: The elements, row-major.
  ///   - shape: The shape.
  ///   - descriptor: NumPy's name of the type, such as `<f4`.
  /// - Returns: The whole file.
  package static func file<Number: BitwiseCopyable>(
    _ numbers: [Number], _ shape: [Int], _ descriptor: String
  ) -> [UInt8] {
    let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header =
      "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(sizes)), }"
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    let length = header.utf8.count
    let start: [UInt8] =
      [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)]
    let elements = unsafe numbers.withUnsafeBytes { unsafe Array($0) }
    return start + Array(header.utf8) + elements
  }
}
