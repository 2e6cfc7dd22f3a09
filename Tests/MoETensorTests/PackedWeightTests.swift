import MoECore
import MoETestSupport
import Testing

@testable import MoETensor

/// Packed weights beside the f64 product of the numbers that they stand for.
@Suite("Packed weights")
struct PackedWeightTests {
  private let source = RandomSource(seed: 3)

  private static let formats: [PackedFormat] = PackedFormat.widths.flatMap { bits in
    PackedFormat.groups.flatMap { group in
      [PackedFormat.Codes.affine, .symmetric].compactMap {
        PackedFormat($0, bits: bits, group: group)
      }
    }
  }

  private func largest(_ tensor: Tensor) -> Double {
    tensor.cast(to: .f64).abs().array(of: Double.self).max() ?? 0
  }

  @Test("multiply as the numbers that they stand for, in both classes and for any number of rows")
  func products() throws {
    for (place, format) in Self.formats.enumerated() {
      let inputs = [128, 96, 576, 100][place % 4], outputs = 5 + place % 40
      let dense = source.normal([outputs, inputs]) * 0.1
      let weight = try PackedWeight.rounded(dense, to: format, activations: .exact)
      let numbers = weight.dequantized().cast(to: .f64)
      let bias = place % 2 == 0 ? source.normal([outputs]) : nil
      for rows in [1, 3, 8, 9, 70] {
        let x = source.normal([rows, inputs])
        let offsets = bias?.cast(to: .f64)
        let expected = x.cast(to: .f64).linear(numbers, bias: offsets)
        let size = largest(x.cast(to: .f64).abs().linear(numbers.abs()))
        for arithmetic in [nil] + Arithmetic.allCases.map(Optional.some) {
          let found = weight.product(x, bias: bias, as: arithmetic)
          #expect(found.dtype == .f32 && found.shape == [rows, outputs])
          let bound = (arithmetic ?? (rows > 8 ? .prompt : .decode)) == .decode ? 1e-4 : 1.2e-2
          #expect(
            largest(found.cast(to: .f64) - expected) < bound * size, "\(format), \(rows) rows")
        }
      }
    }
  }

  @Test("are as near as rounding allows")
  func rounding() throws {
    for format in Self.formats {
      let dense = source.uniform([7, 256], low: -1, high: 1)
      for type in [DType.f32, .bf16, .f16] {
        let weight = try PackedWeight.rounded(dense, to: format, scales: type)
        let step = 2 / Double((1 << format.bits) - 1)
        let slack = type == .f32 ? 1e-5 : 0.01
        #expect(
          largest(weight.dequantized() - dense)
            <= (format.codes == .affine ? 0.5 * step : 1.2 * step) + slack, "\(format), \(type)")
      }
    }
  }

  @Test("look up rows, and give gradients to what they meet")
  func rowsAndGradients() throws {
    let format = try #require(PackedFormat(.affine, bits: 4, group: 32))
    let weight = try PackedWeight.rounded(source.normal([9, 64]), to: format)
    let numbers = weight.dequantized()
    let ids = Tensor([8, 0, 3, 3] as [Int64], shape: [2, 2])
    expectClose(weight.rows(at: ids), numbers.embedding(ids), .exact)
    let x = source.normal([2, 64])
    let found = try valueAndGradients(
      of: { weight.product(x, bias: nil, as: nil).sum() }, for: [x])
    expectClose(found.gradients[0], Tensor.ones([2, 9]).matmul(numbers), .sums)
  }

  @Test("meet numbers of any size, and keep what is not a number")
  func extremes() throws {
    let format = try #require(PackedFormat(.affine, bits: 8, group: 32))
    let weight = try PackedWeight.rounded(source.normal([6, 64]), to: format)
    let numbers = weight.dequantized().cast(to: .f64)
    for value in [3e5, 1e-8] as [Double] {
      let x = Tensor.concatenated([source.normal([1, 40]), Tensor.full(value, [1, 24])], axis: 1)
      let found = weight.product(x, bias: nil, as: .decode)
      let size = largest(x.cast(to: .f64).abs().linear(numbers.abs()))
      #expect(largest(found.cast(to: .f64) - x.cast(to: .f64).linear(numbers)) < 1e-4 * size)
    }
    for value in [Double.nan, .infinity] {
      let x = Tensor.concatenated([Tensor.ones([1, 63]), Tensor.full(value, [1, 1])], axis: 1)
      for arithmetic in Arithmetic.allCases {
        let found = weight.product(x, bias: nil, as: arithmetic)
        #expect(found.isFinite().array(of: Bool.self).allSatisfy { !$0 }, "\(value), \(arithmetic)")
      }
    }
  }

  @Test("are refused when their parts do not fit together")
  func refused() throws {
    let format = try #require(PackedFormat(.affine, bits: 4, group: 32))
    let codes = Tensor.zeros([4, 8], dtype: .i32), scales = Tensor.ones([4, 2])
    func error(_ codes: Tensor, _ scales: Tensor, _ biases: Tensor?) -> PackedWeightError? {
      do {
        _ = try PackedWeight(format, shape: [4, 64], codes: codes, scales: scales, biases: biases)
        return nil
      } catch { return error }
    }
    #expect(error(codes, scales, scales) == nil)
    #expect(
      error(Tensor.zeros([4, 7], dtype: .i32), scales, scales)
        == .wrongSize(part: "codes", bytes: 112, expected: 128))
    #expect(
      error(codes, Tensor.ones([4, 3]), scales)
        == .wrongShape(part: "scales", found: [4, 3], expected: [4, 2]))
    #expect(error(codes, scales, nil) == .biases(expected: true))
    #expect(
      error(codes, scales.cast(to: .f64), scales.cast(to: .f64))
        == .wrongType(part: "scales", found: .f64))
    for (value, type) in [(Double.nan, DType.f32), (.infinity, .bf16), (.nan, .f16)] {
      let bad = Tensor.full(value, [4, 2]).cast(to: type)
      #expect(error(codes, bad, Tensor.ones([4, 2]).cast(to: type)) == .notFinite(part: "scales"))
      #expect(error(codes, Tensor.ones([4, 2]).cast(to: type), bad) == .notFinite(part: "biases"))
    }
    #expect(PackedFormat(.affine, bits: 7, group: 64) == nil)
    #expect(PackedFormat(.affine, bits: 4, group: 48) == nil)
    #expect(PackedFormat(.mxfp4, bits: 4, group: 64) == nil)
    #expect(PackedFormat.group(128, for: 96) == 32 && PackedFormat.group(64, for: 100) == 64)
  }

  @Test(
    "are not made of numbers that are not finite, wherever they are, or too large for their scales")
  func roundingRefuses() throws {
    for codes in [PackedFormat.Codes.affine, .symmetric] {
      let format = try #require(PackedFormat(codes, bits: 4, group: 32))
      for value in [Float.nan, .infinity, -.infinity] {
        for place in [0, 4, 15, 16, 31, 40] {
          var numbers = (0..<64).map { Float($0 % 7) - 3 }
          numbers[place] = value
          #expect(throws: PackedWeightError.self, "\(value) at \(place)") {
            try PackedWeight.rounded(Tensor(numbers, shape: [1, 64]), to: format, scales: .f16)
          }
        }
      }
      let large = Tensor([Float](repeating: -1e6, count: 64), shape: [1, 64])
      #expect(throws: PackedWeightError.self) {
        try PackedWeight.rounded(large, to: format, scales: .f16)
      }
      #expect(throws: Never.self) { try PackedWeight.rounded(large, to: format, scales: .bf16) }
    }
  }
}
