// Trains a two-layer network to classify points as inside or outside a circle.

import MoECore
import MoETensor
import MoETraining

struct TwoLayers {
  let hidden: Parameter
  let bias = Parameter(Tensor.zeros([32]))
  let output: Parameter

  init(using random: RandomSource) {
    hidden = Parameter(random.normal([32, 2]))
    output = Parameter(random.normal([2, 32], standardDeviation: 0.1))
  }

  var parameters: [NamedParameter] {
    [.init("hidden.weight", hidden), .init("hidden.bias", bias), .init("output.weight", output)]
  }

  func callAsFunction(_ x: Tensor) -> Tensor {
    x.linear(hidden.value, bias: bias.value).silu()  // [points, 32]
      .linear(output.value)  // [points, 2]
  }
}

let random = RandomSource(seed: 1)
let points = random.uniform([2048, 2], low: -1, high: 1)  // [points, 2]
let isInside = ((points * points).sum(axis: 1) .< 0.6).cast(to: .i64)  // [points]

let model = TwoLayers(using: random)
let optimizer = AdamW(model.parameters, settings: try AdamWSettings(weightDecay: 0))
let schedule = try LearningRateSchedule(peak: 0.05, warmupSteps: 20, totalSteps: 400)
for step in 0..<400 {
  let result = try valueAndGradients(
    of: { model(points).crossEntropy(targets: isInside) }, for: model.parameters.map(\.parameter))
  optimizer.update(gradients: result.gradients, learningRate: schedule.rate(at: step))
  if step % 80 == 0 || step == 399 {
    print("step \(step): loss \(result.value.item(as: Float.self))")
  }
}

let isRight = (model(points).argmax(axis: 1) .== isInside).cast(to: .f32)
print("correct for \(isRight.mean().item(as: Float.self) * 100) % of the points")
if let path = CommandLine.arguments.dropFirst().first {
  let weights = model.parameters.map { ($0.name, $0.parameter.value) }
  try SafetensorsFile.write(Dictionary(uniqueKeysWithValues: weights), to: .init(path))
}
