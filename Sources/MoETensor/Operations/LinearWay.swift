import Foundation
import MoECore

/// The ways to compute a linear layer on the CPU, and the table that chooses one.
///
/// `Scripts/bench --only "linear layer"` measures what it chooses, and the ways one by one with
/// `SWITCHYARD_LINEAR=packedRows`, `oneDNN` or `general`, which forces a way wherever it applies.
enum LinearWay: String, CaseIterable {
  /// Our kernel for few rows, ``Tensor/dotsLinear(_:bias:)``: it reads each weight once.
  case dots
  /// Our kernel for several rows, ``Tensor/packedRowsLinear(_:bias:)``: it reads weights in place.
  case packedRows
  /// oneDNN's product in f32, ``Tensor/oneDNNLinear(_:bias:)``; bf16 numbers are widened before and
  /// rounded after it.
  case oneDNN
  /// libtorch's choice.
  case general

  /// The way for `rows · weightᵀ` with a weight of `[outputs, inputs]` where no ``Arithmetic`` is asked for.
  ///
  /// | type | recorded | rows | multiplications | way |
  /// |---|---|---|---|---|
  /// | f32 or bf16 | no | 1 | any | dots |
  /// | f32 | no | 2 to 192 | at least 2¹⁶ | packed rows |
  /// | f32 | either | any | at least 2²¹ | oneDNN |
  /// | bf16, products in hardware | either | any | any | general |
  /// | bf16, no products in hardware | no | at least 2 | any | packed rows |
  /// | bf16, no products in hardware | yes | any | any | oneDNN |
  /// | any other | either | any | any | general |
  ///
  /// The thresholds were measured on Zen 5 and Zen 4 with AVX-512 and hold for AVX2, whose tiles are
  /// as fast there. They were not measured for `plain`, for which oneDNN would be the faster way if
  /// the processor has more than `plain` uses, and for ARM.
  static func best(
    _ dtype: DType, isRecorded: Bool, rows: Int, inputs: Int, outputs: Int,
    kernels: KernelTable = Engine.kernels
  ) -> LinearWay {
    guard rows > 0 else { return .general }
    let multiplications = rows * inputs * outputs
    if rows == 1, !isRecorded, dtype == .f32 || dtype == .bf16 { return .dots }
    switch dtype {
    case .f32:
      if !isRecorded, rows <= mostPackedRows, multiplications >= 1 << 16 { return .packedRows }
      return multiplications >= 1 << 21 ? .oneDNN : .general
    case .bf16 where !kernels.multipliesBF16: return isRecorded ? .oneDNN : .packedRows
    default: return .general
    }
  }

  /// The environment variable that forces a way.
  static let variable = "SWITCHYARD_LINEAR"

  /// The forced way, if there is one; programs check it with ``Engine/checkKernelSettings()``.
  static let forced: LinearWay? = setting.flatMap(LinearWay.init)

  /// What the variable holds, if it is not empty.
  static var setting: String? {
    ProcessInfo.processInfo.environment[variable].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The most rows of f32 for which reading a weight in place beats repacking it.
  private static let mostPackedRows = 192
}

extension Arithmetic {
  /// The way of linear layers, for any number of rows.
  var way: LinearWay {
    switch self {
    case .prompt: .packedRows
    case .decode: .dots
    }
  }
}

/// A way to compute linear layers was asked for that does not exist.
struct LinearWayError: Error, CustomStringConvertible {
  var name: String

  var description: String {
    let names = LinearWay.allCases.map(\.rawValue).joined(separator: ", ")
    return
      "\(LinearWay.variable): there is no way '\(name.printable)' to compute linear layers; leave it out, or choose one of: \(names)"
  }
}
