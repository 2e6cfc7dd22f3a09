import CKernels
import MoECore

extension Engine {
  private static let activations = [
    CKERNELS_SILU, CKERNELS_RELU, CKERNELS_GELU_TANH, CKERNELS_GELU, CKERNELS_TANH,
  ]

  /// A hash of fixed products, activations, rotation and attention in both arithmetics and both types of the kernels.
  ///
  /// Two machines with the same value computed all of them alike, bit for bit; with different values, texts and scores
  /// of the same model may differ in their last digits. It does not depend on the number of threads.
  public static var fingerprint: String {
    withoutGradients {
      var bytes: [UInt8] = []
      for dtype in [DType.f32, .bf16] {
        func numbers(_ shape: [Int], _ salt: Int) -> Tensor {
          // Exact in f32, whatever computes them.
          let count = shape.reduce(1, *)
          let values = (0..<count).map {
            Float(($0 &* 40_503 &+ salt &* 7_919) & 0xFFFF) / 65_536 - 0.5
          }
          return Tensor(values, shape: shape).cast(to: dtype)
        }
        func add(_ tensor: Tensor) {
          for value in tensor.cast(to: .f32).array(of: Float.self) {
            bytes += (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
          }
        }
        let (x, weight) = (numbers([19, 132], 1), numbers([37, 132], 2))
        for arithmetic in Arithmetic.allCases { add(x.linear(weight, as: arithmetic)) }
        add((x * 8).sigmoid())
        for activation in activations {
          if let result = (x * 8).activatedByKernel(activation, times: x) { add(result) }
        }
        let angles = numbers([19, 33], 7).cast(to: .f32)
        add(x.reshaped([19, 2, 66]).rotatingHalves(cosine: angles.cos(), sine: angles.sin()))
        add(x.rmsNorm(weight: numbers([132], 3), epsilon: 1e-5))
        add(
          Tensor.attention(
            query: numbers([1, 4, 70, 16], 4), key: numbers([1, 2, 70, 16], 5),
            value: numbers([1, 2, 70, 16], 6), mask: .latest(window: 33)))
      }
      return String(SHA256.hexadecimal(of: bytes).prefix(16))
    }
  }
}
