public import MoECore
public import MoETensor

/// Settings of ``AdamW``.
public struct AdamWSettings: Hashable, Codable, Sendable {
  /// Fraction of the first moment that is kept at each step, from 0 to below 1.
  public var beta1: Double
  /// Fraction of the second moment that is kept at each step, from 0 to below 1.
  public var beta2: Double
  /// Added to the denominator; above 0.
  public var epsilon: Double
  /// Fraction of a weight that is removed per step and unit of learning rate; 0 or more.
  public var weightDecay: Double

  /// Uses the customary defaults for settings that are not given.
  ///
  /// - Throws: `SettingError` for values out of range.
  public init(
    beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0.01
  ) throws(SettingError) {
    (self.beta1, self.beta2) = (beta1, beta2)
    (self.epsilon, self.weightDecay) = (epsilon, weightDecay)
    try Self.check("beta1", beta1, 0..<1)
    try Self.check("beta2", beta2, 0..<1)
    guard epsilon > 0, epsilon.isFinite else {
      throw SettingError(key: "epsilon", value: "\(epsilon)", expected: "above 0")
    }
    guard weightDecay >= 0, weightDecay.isFinite else {
      throw SettingError(key: "weightDecay", value: "\(weightDecay)", expected: "at least 0")
    }
  }

  /// Decodes the settings; absent keys take their default values.
  ///
  /// - Throws: A decoding error, or `SettingError` for values out of range.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      beta1: values.decodeIfPresent(Double.self, forKey: .beta1) ?? 0.9,
      beta2: values.decodeIfPresent(Double.self, forKey: .beta2) ?? 0.999,
      epsilon: values.decodeIfPresent(Double.self, forKey: .epsilon) ?? 1e-8,
      weightDecay: values.decodeIfPresent(Double.self, forKey: .weightDecay) ?? 0.01)
  }

  private static func check(
    _ key: String, _ value: Double, _ range: Range<Double>
  ) throws(SettingError) {
    guard range.contains(value) else {
      throw SettingError(key: key, value: "\(value)", expected: "from 0 to below 1")
    }
  }
}

/// Adam with decoupled weight decay.
///
///     m ← β₁ m + (1 − β₁) g          v ← β₂ v + (1 − β₂) g²
///     w ← w − η λ w − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)
///
/// Weights of less than 32 bits get an f32 master copy, which is updated; the weight itself is its rounded
/// image, so that a value assigned to such a weight from elsewhere lasts only until the next update. Moments
/// are f32 (f64 for f64 weights). All weights live on one device.
///
/// - SeeAlso: Loshchilov and Hutter 2019, *Decoupled Weight Decay Regularization*, algorithm 2,
///   [arXiv:1711.05101](https://arxiv.org/abs/1711.05101).
public final class AdamW {
  /// The settings; the same for all weights, except that only some decay.
  public let settings: AdamWSettings
  /// Updates so far.
  public private(set) var step = 0
  private var slots: [Slot]

  /// A weight with its moments.
  private struct Slot {
    var name: String
    var weight: Parameter
    /// f32 copy of a weight with fewer bits; the weight itself otherwise.
    var master: Parameter
    var first: Parameter
    var second: Parameter
    var decays: Bool

    var hasMaster: Bool { master !== weight }
  }

  /// Prepares to train `parameters`; moments start at 0.
  ///
  /// - Parameters:
  ///   - parameters: The weights, in the order of the gradients.
  ///   - settings: Decay rates and the like.
  ///   - decays: Whether a weight decays; by default those with at least two axes do, so matrices but not
  ///     biases and normalization weights.
  public init(
    _ parameters: [NamedParameter], settings: AdamWSettings,
    decays: (NamedParameter) -> Bool = { $0.parameter.value.rank >= 2 }
  ) {
    self.settings = settings
    NamedParameter.requireDistinct(parameters)
    slots = parameters.map { named in
      let value = named.parameter.value
      let isNarrow = value.dtype.byteSize < 4
      let master = isNarrow ? Parameter(value.cast(to: .f32)) : named.parameter
      return Slot(
        name: named.name, weight: named.parameter, master: master,
        first: Parameter(master.value.zerosLike()), second: Parameter(master.value.zerosLike()),
        decays: decays(named))
    }
  }

  /// Updates all weights once.
  ///
  /// - Parameters:
  ///   - gradients: One per weight, in the order of the initializer, in the weight's shape.
  ///   - learningRate: η.
  public func update(gradients: [Tensor], learningRate: Double) {
    precondition(
      gradients.count == slots.count, "\(gradients.count) gradients, \(slots.count) weights")
    startStep()
    for decays in [true, false] {
      let group = zip(slots, gradients).filter { $0.0.decays == decays }
      update(group.map(\.0), gradients: group.map(\.1), decays: decays, learningRate)
    }
  }

  /// Starts an update whose gradients are passed one by one to
  /// ``update(_:gradient:learningRate:)``.
  public func startStep() { step += 1 }

  /// Updates one weight, in the step that ``startStep()`` started; to be called once per weight.
  ///
  /// - Parameters:
  ///   - index: The weight's index in the order of the initializer.
  ///   - gradient: In the weight's shape.
  ///   - learningRate: η.
  public func update(_ index: Int, gradient: Tensor, learningRate: Double) {
    precondition(step > 0, "a weight was updated before the first step was started")
    let slot = slots[index]
    update([slot], gradients: [gradient], decays: slot.decays, learningRate)
  }

  private func update(
    _ slots: [Slot], gradients: [Tensor], decays: Bool, _ learningRate: Double
  ) {
    AdamWUpdate(
      learningRate: learningRate, beta1: settings.beta1, beta2: settings.beta2,
      weightDecay: decays ? settings.weightDecay : 0, epsilon: settings.epsilon
    ).apply(
      to: slots.map(\.master),
      gradients: zip(slots, gradients).map { $1.cast(to: $0.master.value.dtype) },
      firstMoments: slots.map(\.first), secondMoments: slots.map(\.second), step: step)
    for slot in slots where slot.hasMaster { slot.weight.copyElements(of: slot.master.value) }
  }
}

extension AdamW {
  /// Moments and master weights by name, for checkpoints: `NAME.first`, `NAME.second` and, for weights of
  /// less than 32 bits, `NAME.master`.
  public var state: [String: Tensor] {
    var result: [String: Tensor] = [:]
    for slot in slots {
      result[slot.name + ".first"] = slot.first.value
      result[slot.name + ".second"] = slot.second.value
      if slot.hasMaster { result[slot.name + ".master"] = slot.master.value }
    }
    return result
  }

  /// Continues from a saved state.
  ///
  /// - Parameters:
  ///   - state: What ``state`` returned.
  ///   - step: What ``step`` was.
  /// - Throws: ``TrainingError/invalidOptimizerState(message:)`` when a tensor is missing, unknown or of
  ///   another shape or type; nothing is changed then.
  public func restore(_ state: [String: Tensor], step: Int) throws(TrainingError) {
    guard step >= 0 else { throw .invalidOptimizerState(message: "step \(step)") }
    let current = self.state
    for name in Set(current.keys).union(state.keys).sorted() {
      guard let saved = state[name] else {
        throw .invalidOptimizerState(message: "'\(name)' is missing")
      }
      guard let expected = current[name] else {
        throw .invalidOptimizerState(message: "'\(name)' does not belong to any weight")
      }
      guard saved.shape == expected.shape, saved.dtype == expected.dtype else {
        throw .invalidOptimizerState(
          message:
            "'\(name)' is \(saved.dtype) \(saved.shape), not \(expected.dtype) \(expected.shape)")
      }
    }
    self.step = step
    for slot in slots {
      for (suffix, target) in [
        ("first", slot.first), ("second", slot.second), ("master", slot.master),
      ] {
        if let saved = state["\(slot.name).\(suffix)"] { target.assign(saved) }
      }
    }
  }
}
