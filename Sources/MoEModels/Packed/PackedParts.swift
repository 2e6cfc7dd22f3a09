import MoECore
import MoETensor

/// Scales, zeros and groups as other formats store them, on their way into a packed weight.
struct PackedParts {
  let module: String
  let tensors: PackedTensors
  let bits: Int
  /// Outputs and inputs.
  let shape: [Int]
  /// Inputs of a group, as the format counts them; the whole row for -1.
  let group: Int

  init(
    _ module: String, in tensors: PackedTensors, bits: Int, group: Int, shape: [Int]
  ) throws {
    (self.module, self.tensors, self.bits, self.shape) = (module, tensors, bits, shape)
    self.group = group == -1 ? shape[1] : group
    guard 2...8 ~= bits else {
      throw tensors.failure(module, "it has \(bits) bits; widths from 2 to 8 are read")
    }
    guard group == -1 || group >= 32 && group.isMultiple(of: 32) else {
      throw tensors.failure(
        module, "its groups have \(group) inputs; expected a multiple of 32, or -1")
    }
  }

  /// Groups of a row.
  var groups: Int { (shape[1] + group - 1) / group }

  /// Bits of a code as it is stored: 7 bits have no format of their own.
  var storedBits: Int { bits == 7 ? 8 : bits }

  /// The group of the packed weight: larger ones are cut into several with equal scales.
  private var storedGroup: Int {
    [128, 64, 32].first(where: group.isMultiple) ?? 32
  }

  /// The order of inputs that brings each group's together; `nil` if they are in order.
  ///
  /// - Parameter groups: The group of each input.
  /// - Returns: The input of each place.
  /// - Throws: ``ModelError`` if groups have other sizes than the format says.
  func order(_ groups: Tensor) throws -> Tensor? {
    let places = groups.cast(to: .i64).array(of: Int64.self).map(Int.init)
    if places.enumerated().allSatisfy({ $1 == $0 / group }) { return nil }
    guard places.allSatisfy({ 0..<self.groups ~= $0 }) else {
      throw tensors.failure(
        module, "an input belongs to a group beyond the \(self.groups) that there are")
    }
    let order = places.indices.sorted { (places[$0], $0) < (places[$1], $1) }
    guard order.enumerated().allSatisfy({ places[$1] == $0 / group }) else {
      throw tensors.failure(
        module, "its groups do not all have \(group) inputs, so they cannot be run")
    }
    return Tensor(order.map(Int64.init))
  }

  /// The packed weight of codes that were moved into rows.
  ///
  /// - Parameters:
  ///   - codes: u32, a stream per output.
  ///   - scales: `[outputs, groups]`.
  ///   - zeros: The code of zero, u8 `[outputs, groups]`; `nil` for the middle of all codes.
  ///   - order: The input of each place, if they are not in order.
  /// - Returns: The packed weight.
  /// - Throws: ``ModelError``.
  func weight(
    codes: Tensor, scales: Tensor, zeros: Tensor?, order: Tensor?
  ) throws -> PackedWeight {
    let middle = 1 << (bits - 1)
    let isSymmetric =
      storedBits == bits
      && (zeros.map { $0.array(of: UInt8.self).allSatisfy { $0 == UInt8(middle) } } ?? true)
    let format = try tensors.format(
      module, isSymmetric ? .symmetric : .affine, bits: storedBits, group: storedGroup)
    guard !isSymmetric else {
      return try tensors.weight(
        module, format, shape, codes: codes, scales: repeated(scales, format), order: order)
    }
    // A zero times a scale of 16 bits is exact in f32, and so is its difference to any other multiple.
    let wide = scales.cast(to: .f32)
    guard (wide * Double(1 << bits)).isAllFinite else {
      throw tensors.failure(
        module, "one of its scales is infinite, not a number, or too large for its zeros")
    }
    let offsets = zeros.map { $0.cast(to: .f32) } ?? Tensor.full(Double(middle), wide.shape)
    return try tensors.weight(
      module, format, shape, codes: codes, scales: repeated(wide, format),
      biases: repeated(-(wide * offsets), format), order: order)
  }

  /// One column for each of the packed weight's groups.
  private func repeated(_ tensor: Tensor, _ format: PackedFormat) -> Tensor {
    guard group != format.group else { return tensor }
    let count = format.rowGroups(inputs: shape[1])
    let columns = (0..<count).map { Int64($0 * format.group / group) }
    return tensor.transposed(0, 1).selecting(Tensor(columns)).transposed(0, 1).contiguous()
  }
}
