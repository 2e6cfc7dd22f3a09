import MoECore
import MoEModels
import MoETensor
import MoETraining

/// Training steps of diffusion transformers, and sampling steps.
enum DiffusionComparisons {
  /// A kind of model, its size, and the images per batch.
  private struct Shape {
    var kind: String
    var size: DiffusionSize
    var batch: Int

    var title: String { "\(kind)-\(size.rawValue), \(batch) images" }
    var request: String { "\(kind.lowercased()) \(size.rawValue) \(batch)" }
  }

  static func all() throws -> [Comparison] {
    let shapes = [
      Shape(kind: "ProMoE", size: .small, batch: 8), Shape(kind: "dense", size: .small, batch: 8),
      Shape(kind: "ProMoE", size: .pixels32, batch: 32),
      Shape(kind: "dense", size: .pixels32, batch: 32),
    ]
    return shapes.flatMap { shape in
      let works: [Work] = [
        Work("training step", "training", .ratioAndMemory(1 / 1.5)) { try step($0) },
        Work("training step, recomputing,", "training", nil) { try step($0, recomputes: true) },
        Work("training step, recomputing with fused updates,", "training", .memory(0.5)) {
          try step($0, recomputes: true, fusesUpdates: true)
        },
        Work("sampling, 4 steps", "sampling", .ratio(1 / 1.5)) { try sampling($0) },
      ]
      return works.map { work in
        Comparison(
          title: "diffusion: \(work.title) of \(shape.title)",
          peerName: "\(work.peerName) \(shape.request)", iterations: 3,
          run: { iterations in
            let run = try work.prepare(shape)
            return try withPeakMemory { try timed(iterations: iterations, run) }
          }, bar: work.bar)
      }
    }
  }

  /// A measurement that is made for every shape.
  private struct Work {
    var title: String
    var peerName: String
    var bar: Bar?
    var prepare: (Shape) throws -> () throws -> Void

    init(
      _ title: String, _ peerName: String, _ bar: Bar?,
      _ prepare: @escaping (Shape) throws -> () throws -> Void
    ) {
      (self.title, self.peerName, self.bar, self.prepare) = (title, peerName, bar, prepare)
    }
  }

  private static func model(_ shape: Shape) throws -> DiffusionTransformer {
    let model = try DiffusionTransformer(
      .preset(shape.size, router: shape.kind == "dense" ? nil : .promoe),
      weights: RandomWeights(RandomSource(seed: 1)))
    // New models output zeros; trained ones do not.
    let random = RandomSource(seed: 2)
    for named in model.parameters where named.name.contains("adaLN") || named.name.contains("final")
    {
      let weight = named.parameter
      weight.assign(random.normal(weight.value.shape, standardDeviation: 0.02))
    }
    return model
  }

  private static func labels(_ model: DiffusionTransformer, _ count: Int) -> [Int] {
    (0..<count).map { $0 == 1 ? model.classes : $0 * 37 % model.classes }
  }

  /// Forward, backward and AdamW on noisy images, one of eight or 32 without a label.
  private static func step(
    _ shape: Shape, recomputes: Bool = false, fusesUpdates: Bool = false
  ) throws -> () throws -> Void {
    let model = try model(shape)
    let named = model.parameters
    let optimizer = AdamW(named, settings: try AdamWSettings(weightDecay: 0))
    let random = RandomSource(seed: 3)
    let size = [shape.batch] + model.imageShape
    let sigma = (0..<shape.batch).map { Float(0.1 + 0.8 * Double($0) / Double(shape.batch - 1)) }
    let noisy = RectifiedFlow.noised(
      random.normal(size), noise: random.normal(size), sigma: Tensor(sigma))
    let labels = labels(model, shape.batch)
    let weights = named.map(\.parameter)
    func loss() throws -> Tensor {
      let output =
        recomputes
        ? try model.recomputing(noisy.images, times: noisy.times, labels: labels)
        : model(noisy.images, times: noisy.times, labels: labels, pass: .training)
      let error = RectifiedFlow().losses(output.prediction, for: noisy)[0].value
      return output.sparse.reduce(error) {
        $0 + ($1.contrastiveLoss(temperature: 0.07) ?? Tensor(0 as Float))
      }
    }
    return {
      guard fusesUpdates else {
        let result = try valueAndGradients(of: loss, for: weights)
        return optimizer.update(gradients: result.gradients, learningRate: 1e-4)
      }
      optimizer.startStep()
      _ = try forEachGradient(of: loss, for: weights) {
        optimizer.update($0, gradient: $1, learningRate: 1e-4)
      }
    }
  }

  /// Four steps with guidance, two predictions each.
  private static func sampling(_ shape: Shape) throws -> () throws -> Void {
    let model = try model(shape)
    let sampler = try DiffusionSampler(.euler, steps: 4, guidance: Guidance(scale: 1.5))
    let labels = labels(model, shape.batch)
    return { _ = try sampler.images(from: model, labels: labels, seed: 1) }
  }
}
