import MoECore
import MoETensor
import MoETestSupport
import MoETraining
import Testing

/// Fixture: `Tests/Fixtures/make/training.py`, which names the same constants.
@Suite("Training, compared with PyTorch")
struct TrainingParityTests {
  private static let names = ["hidden.weight", "hidden.bias", "output.weight", "output.bias"]
  private let file: SafetensorsFile

  init() throws { file = try SafetensorsFile(Fixtures.path("training.safetensors")) }

  @Test("follows its losses, norms, weights and averages in f32")
  func f32() throws {
    try run(.f32, losses: .trainingRun, weights: .trainedWeights)
  }

  @Test("follows them with bf16 weights over f32 masters")
  func bf16() throws {
    try run(.bf16, losses: .bf16, weights: .bf16)
  }

  private func run(_ dtype: DType, losses: Tolerance, weights tolerance: Tolerance) throws {
    let weights = try Self.names.map { name in
      NamedParameter(name, Parameter(try file.tensor(named: "initial/\(name)").cast(to: dtype)))
    }
    let initial = try Self.names.map { try file.tensor(named: "initial/\($0)") }
    let optimizer = AdamW(weights, settings: try AdamWSettings(beta2: 0.95, weightDecay: 0.1))
    if dtype == .bf16 { try useMasters(initial, in: optimizer) }
    let schedule = try LearningRateSchedule(
      peak: 0.02, warmupSteps: 10, totalSteps: 50, decay: .constant)
    let average = try ExponentialMovingAverage(weights, decay: 0.95, warmsUp: false)
    if dtype == .bf16 {
      try average.restore(Dictionary(uniqueKeysWithValues: zip(Self.names, initial)))
    }
    let inputs = try file.tensor(named: "inputs").cast(to: dtype)
    let targets = try file.tensor(named: "targets")
    var found: [Tensor] = []
    var norms: [Float] = []
    for step in 0..<50 {
      let result = try valueAndGradients(
        of: { loss(weights.map(\.parameter.value), inputs[step], targets[step]) },
        for: weights.map(\.parameter))
      let limited = clipped(result.gradients.map { $0.cast(to: .f32) }, maximumNorm: 0.5)
      optimizer.update(gradients: limited.gradients, learningRate: schedule.rate(at: step))
      average.update(step: step)
      found.append(result.value)
      norms.append(Float(limited.norm))
    }
    let kind = dtype.rawValue
    expectClose(Tensor.stacked(found), try file.tensor(named: "\(kind)/losses"), losses, "losses")
    let normTolerance = dtype == .f32 ? Tolerance.sameKernels : .bf16
    expectClose(Tensor(norms), try file.tensor(named: "\(kind)/norms"), normTolerance, "norms")
    for weight in weights {
      expectClose(
        weight.parameter.value, try file.tensor(named: "\(kind)/final/\(weight.name)"), tolerance,
        weight.name)
      expectClose(
        try #require(average.state[weight.name]),
        try file.tensor(named: "\(kind)/average/\(weight.name)"), tolerance,
        "average \(weight.name)")
    }
  }

  /// The fixture starts from f32 masters, not from rounded weights.
  private func useMasters(_ initial: [Tensor], in optimizer: AdamW) throws {
    var state = optimizer.state
    for (name, value) in zip(Self.names, initial) { state[name + ".master"] = value }
    try optimizer.restore(state, step: 0)
  }

  private func loss(_ weights: [Tensor], _ inputs: Tensor, _ targets: Tensor) -> Tensor {
    inputs.linear(weights[0], bias: weights[1]).gelu()
      .linear(weights[2], bias: weights[3]).cast(to: .f32)
      .crossEntropy(targets: targets)
  }
}
