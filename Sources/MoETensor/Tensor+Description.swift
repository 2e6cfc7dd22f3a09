import MoECore

extension Tensor: CustomStringConvertible {
  /// Type, shape, device and the elements, row by row; long axes show their first and last three.
  public var description: String {
    let place = device == .cpu ? "" : " on \(device)"
    let head = "\(dtype) \(shape)\(place)"
    guard count > 0 else { return head }
    return head + "\n" + TensorPrinter(self).text
  }
}

/// Formats elements in nested brackets.
private struct TensorPrinter {
  /// Longer axes are shortened.
  private static let longestAxis = 8
  /// The number of elements shown at each end of a shortened axis.
  private static let shown = 3

  private let shape: [Int]
  private let cells: [String]
  private let width: Int
  private let axisIndices: [[Int?]]

  init(_ tensor: Tensor) {
    shape = tensor.shape
    axisIndices = shape.map(Self.indices)
    // Only the elements that are shown are converted, in types that every operation knows.
    let printable: DType = tensor.dtype == .bool ? .u8 : tensor.dtype.isFloatingPoint ? .f64 : .i64
    var part = tensor
    for (axis, size) in shape.enumerated() where size > Self.longestAxis {
      let ends = [0..<Self.shown, size - Self.shown..<size]
      part = Tensor.concatenated(
        ends.map { part.slice(axis: axis, $0).cast(to: printable) }, axis: axis)
    }
    part = part.cast(to: printable)
    cells = Self.texts(part, of: tensor.dtype)
    width = cells.map(\.count).max() ?? 0
  }

  /// The indices shown along an axis of this size; `nil` stands for omitted ones.
  private static func indices(_ size: Int) -> [Int?] {
    size <= longestAxis
      ? Array(0..<size) : Array(0..<shown) + [nil] + Array(size - shown..<size)
  }

  private static func texts(_ part: Tensor, of dtype: DType) -> [String] {
    switch dtype {
    case .bool: part.array(of: UInt8.self).map { $0 == 0 ? "false" : "true" }
    case .u64: part.array(of: Int.self).map { "\(UInt(bitPattern: $0))" }
    case let dtype where dtype.isFloatingPoint: part.array(of: Double.self).map(number)
    default: part.array(of: Int.self).map { "\($0)" }
    }
  }

  /// Five significant digits; powers of ten for very large and small numbers.
  private static func number(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return "\(value)" }
    let exponent = Int(value.magnitude.exponent10)
    guard -4...7 ~= exponent else {
      let mantissa = (value / .power10(exponent) * 1e4).rounded() / 1e4
      return "\(mantissa)e\(exponent)"
    }
    let scale = Double.power10(max(0, 4 - exponent))
    return "\((value * scale).rounded() / scale)"
  }

  var text: String {
    var next = cells.makeIterator()
    return rows(axis: 0, indent: 1, next: &next)
  }

  private func rows(
    axis: Int, indent: Int, next: inout IndexingIterator<[String]>
  ) -> String {
    guard axis < shape.count else { return padded(next.next() ?? "") }
    var parts: [String] = []
    for index in axisIndices[axis] {
      parts.append(index == nil ? "…" : rows(axis: axis + 1, indent: indent + 1, next: &next))
    }
    let separator =
      axis == shape.count - 1
      ? ", " : ",\n" + String(repeating: " ", count: indent)
    return "[" + parts.joined(separator: separator) + "]"
  }

  private func padded(_ text: String) -> String {
    String(repeating: " ", count: width - text.count) + text
  }
}

extension Double {
  /// The exponent in decimal scientific notation.
  fileprivate var exponent10: Double {
    var exponent = 0.0
    var value = self
    while value >= 10 { (value, exponent) = (value / 10, exponent + 1) }
    while value < 1 { (value, exponent) = (value * 10, exponent - 1) }
    return exponent
  }

  fileprivate static func power10(_ exponent: Int) -> Double {
    (0..<abs(exponent)).reduce(1.0) { power, _ in exponent < 0 ? power / 10 : power * 10 }
  }
}
