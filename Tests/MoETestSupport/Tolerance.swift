/// How far apart two values may be: `|a − b| ≤ absolute + relative · |b|`.
package struct Tolerance: Sendable {
  package var relative: Double
  package var absolute: Double

  package init(relative: Double, absolute: Double) {
    (self.relative, self.absolute) = (relative, absolute)
  }

  /// The same bits.
  package static let exact = Tolerance(relative: 0, absolute: 0)

  /// The same f32 kernels on a processor with other vector instructions, which add in another order.
  package static let sameKernels = Tolerance(relative: 1e-5, absolute: 2e-6)

  /// Sums of a few hundred f32 products of normally distributed values, compared with the same in
  /// f64.
  package static let sums = Tolerance(relative: 1e-5, absolute: 2e-5)

  /// Factorizations and solves, where those differences are amplified by the condition number.
  package static let factorizations = Tolerance(relative: 1e-4, absolute: 1e-5)

  /// Losses of a short f32 training run: rounding differences are carried from step to step.
  package static let trainingRun = Tolerance(relative: 1e-6, absolute: 1e-7)

  /// Losses of 100 steps of a whole model: occasionally rounding decides which expert gets a token.
  package static let trainingCurve = Tolerance(relative: 1e-3, absolute: 1e-5)

  /// Weights at the end of such a run.
  ///
  /// Where a gradient is nearly 0, Adam's quotient of moments amplifies
  /// rounding differences, so single weights may differ by more than the losses do.
  package static let trainedWeights = Tolerance(relative: 1e-4, absolute: 1e-5)

  /// Logits of a model in f32: a few hundred roundings in another order than the reference's.
  ///
  /// A logit near zero is a difference of others of the fixtures' scale, which is 6, and carries their errors;
  /// the reference itself is up to 1e-5 off its own result in f64.
  package static let logits = Tolerance(relative: 2e-4, absolute: 1e-4)

  /// Outputs of small diffusion transformers in f32, of the order of 1, compared with the reference
  /// in f64.
  package static let diffusion = Tolerance(relative: 1e-5, absolute: 5e-6)

  /// bf16 keeps 8 bits: one unit in the last place is 2⁻⁸ relative.
  package static let bf16 = Tolerance(relative: 1.0 / 128, absolute: 1e-3)

  /// Central differences in f64 with a step of 1e-5: the truncation error is about the step squared times
  /// the third derivative.
  package static let finiteDifferences = Tolerance(relative: 1e-6, absolute: 1e-7)

  package func allows(_ value: Double, for expected: Double) -> Bool {
    if value == expected || value.isNaN && expected.isNaN { return true }
    return abs(value - expected) <= absolute + relative * abs(expected)
  }
}
