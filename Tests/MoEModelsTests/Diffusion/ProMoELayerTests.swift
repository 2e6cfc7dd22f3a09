import Foundation
import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import Testing

@testable import MoEModels

/// The laws of the paper's layer; the paper's code was checked against them.
@Suite("ProMoE layers")
struct ProMoELayerTests {
  private let width = 32
  private let tokens = 16

  /// The experts of a model's first sparse block.
  private func layer(
    _ model: DiffusionTransformer
  ) throws -> DiffusionExperts { try #require(model.blocks[1].experts) }

  private func apply(
    _ layer: DiffusionExperts, _ x: Tensor, _ labels: [Int]
  ) -> DiffusionExperts.Output {
    layer(
      x, labels: DiffusionLabels(values: labels, isNull: labels.map { $0 == 5 }), pass: .training)
  }

  private func input(_ batch: Int, seed: UInt64 = 3) -> Tensor {
    RandomSource(seed: seed).normal([batch, tokens, width])
  }

  private static let choosers: [DiffusionExpertsConfiguration.Router] = [
    .promoe, .promoeExpertChoice,
  ]

  @Test("send images without a label only to the unconditional expert", arguments: choosers)
  func unconditional(router: DiffusionExpertsConfiguration.Router) throws {
    let model = try DiffusionSample.new(router)
    let (layer, x) = (try layer(model), input(3))
    let before = apply(layer, x, [5, 5, 5])
    let flat = x.reshaped([-1, width])
    let shared = try #require(layer.shared)
    let toLast = Routing(
      tokenCount: flat.size(0), expertCount: 5,
      choice: .byExpert(tokens: [[], [], [], [], Array(0..<flat.size(0))]),
      weights: Tensor.ones([flat.size(0)]), probabilities: Tensor.zeros([flat.size(0), 5]))
    let expected = layer.experts.run(ExpertRows(flat), Dispatch(toLast)) + shared(flat)
    expectClose(before.hidden.reshaped([-1, width]), expected, .sameKernels)
    model.scramble("cluster_centers", seed: 1)
    for expert in 0..<4 { model.scramble("blocks.1.mlp.experts.\(expert).", seed: 2) }
    expectClose(apply(layer, x, [5, 5, 5]).hidden, before.hidden, .exact)
    #expect(before.contrastiveLoss(temperature: 0.07)?.item(as: Float.self) == 0)
    #expect(before.conditional.tokenCount == 0 && before.routing.load.tokens == [0, 0, 0, 0, 48])
    let prototypes = model.parameters.filter { $0.name.contains("cluster_centers") }.map(
      \.parameter)
    let gradients = try valueAndGradients(
      of: {
        let output = apply(layer, x, [5, 5, 5])
        let loss = try #require(output.contrastiveLoss(temperature: 0.07))
        return loss + output.hidden.sum()
      }, for: prototypes
    ).gradients
    #expect(gradients.allSatisfy { !($0 .!= 0).any() })
  }

  @Test("do not use the unconditional expert if all images have labels", arguments: choosers)
  func conditional(router: DiffusionExpertsConfiguration.Router) throws {
    let model = try DiffusionSample.new(router)
    let (layer, x) = (try layer(model), input(3))
    let own = model.parameters.filter { $0.name.contains("blocks.1.mlp.experts.4.") }
    let before = try valueAndGradients(
      of: { apply(layer, x, [1, 2, 3]).hidden.sum() }, for: own.map(\.parameter))
    #expect(before.gradients.allSatisfy { !($0 .!= 0).any() })
    let hidden = apply(layer, x, [1, 2, 3]).hidden
    model.scramble("blocks.1.mlp.experts.4.", seed: 2)
    expectClose(apply(layer, x, [1, 2, 3]).hidden, hidden, .exact)
    #expect(apply(layer, x, [1, 2, 3]).routing.load.tokens[4] == 0)
  }

  @Test("do not depend on the norms of tokens and prototypes", arguments: [1, 3])
  func scaleInvariance(k: Int) throws {
    let model = try DiffusionSample.new(.promoe, k: k)
    let (layer, x) = (try layer(model), input(2))
    let before = apply(layer, x, [1, 2])
    let longer = apply(layer, x * 7.5, [1, 2])
    #expect(before.conditional.assignments == longer.conditional.assignments)
    expectClose(longer.conditional.weights, before.conditional.weights, .sameKernels)
    let loss = try #require(before.contrastiveLoss(temperature: 0.07))
    let longerLoss = try #require(longer.contrastiveLoss(temperature: 0.07))
    expectClose(longerLoss, loss, .sameKernels)
    let prototypes = try #require(layer.rule as? ProMoERule).clusterCenters
    prototypes.assign(prototypes.value * Tensor([1, 2, 3, 40] as [Float], shape: [4, 1]))
    let other = apply(layer, x, [1, 2])
    #expect(before.conditional.assignments == other.conditional.assignments)
    let otherLoss = try #require(other.contrastiveLoss(temperature: 0.07))
    expectClose(otherLoss, loss, .sameKernels)

    // The weight is the cosine itself, and several are not renormalized.
    let cosines = Prototypes.scores(of: x.reshaped([-1, width]), prototypes: prototypes.value)
    let weights = before.conditional.weights.reshaped([-1]).array(of: Float.self)
    let all = cosines.array(of: Float.self)
    for (pair, weight) in zip(before.conditional.assignments, weights) {
      #expect(abs(weight - all[pair[0] * 4 + pair[1]]) < 1e-6 && abs(weight) <= 1)
    }
  }

  @Test("treat images independently, except for the contrastive loss")
  func batchIndependence() throws {
    let model = try DiffusionSample.awake(.promoe)
    let (images, times) = (DiffusionSample.images(4), DiffusionSample.times(4))
    let labels = [0, 5, 2, 3]
    let whole = model(images, times: times, labels: labels)
    let part = model(images[0..<2], times: times[0..<2], labels: [0, 5])
    expectClose(part.prediction, whole.prediction[0..<2], .diffusion)
    let losses = [whole, part].map { $0.sparse[0].contrastiveLoss(temperature: 0.07) }
    #expect(losses[0]?.item(as: Float.self) != losses[1]?.item(as: Float.self))
  }

  @Test("send no gradient of the contrastive loss to images without labels, or to experts")
  func contrastiveGradient() throws {
    let model = try DiffusionSample.new(.promoe)
    let (layer, x) = (try layer(model), Parameter(input(3)))
    let experts = model.parameters.filter { $0.name.contains("expert") }.map(\.parameter)
    let prototypes = try #require(layer.rule as? ProMoERule).clusterCenters
    let found = try valueAndGradients(
      of: { try #require(apply(layer, x.value, [1, 5, 3]).contrastiveLoss(temperature: 0.07)) },
      for: [x, prototypes] + experts)
    let perImage = found.gradients[0].abs().sum(axes: [1, 2]).array(of: Float.self)
    #expect(perImage[0] > 0 && perImage[1] == 0 && perImage[2] > 0)
    #expect(found.gradients.dropFirst(2).allSatisfy { !($0 .!= 0).any() })
    let loads = apply(layer, x.value, [1, 5, 3]).conditional.load.tokens
    let gradient = found.gradients[1]
    let along = (gradient * prototypes.value).sum(axis: 1).array(of: Float.self)
    for (expert, load) in loads.enumerated() {
      let size = gradient[expert].norm().item(as: Float.self)
      #expect(load == 0 ? size == 0 : size > 0)
      // Cosines do not change along a prototype.
      #expect(abs(along[expert]) < 1e-5)
    }
  }

  @Test("send nothing at all to experts and prototypes without tokens")
  func idleExperts() throws {
    let model = try DiffusionSample.new(.promoe)
    let (layer, x) = (try layer(model), input(3))
    let prototypes = try #require(layer.rule as? ProMoERule).clusterCenters
    // Opposite to another prototype: no token chooses it where the other has a positive cosine.
    let mean = x.reshaped([-1, width]).mean(axis: 0)
    let far = x + mean * 50
    prototypes.assign(Tensor.stacked([mean, mean * 2 + 0.01, mean - 0.01, -mean]))
    #expect(apply(layer, far, [1, 2, 3]).conditional.load.tokens[3] == 0)
    let idle = model.parameters.filter { $0.name.contains("blocks.1.mlp.experts.3.") }
    let found = try valueAndGradients(
      of: {
        let output = apply(layer, far, [1, 2, 3])
        let loss = try #require(output.contrastiveLoss(temperature: 0.07))
        return output.hidden.sum() + loss
      }, for: [prototypes] + idle.map(\.parameter))
    #expect(!(found.gradients[0][3] .!= 0).any())
    #expect(found.gradients.dropFirst().allSatisfy { !($0 .!= 0).any() })
  }

  @Test("add the contrastive loss to whatever else is learned, without touching its gradient")
  func addedLoss() throws {
    let model = try DiffusionSample.awake(.promoe)
    let parameters = model.parameters.map(\.parameter)
    func gradients(scale: Double, lambda: Double) throws -> [Tensor] {
      try valueAndGradients(
        of: {
          let output = model(
            DiffusionSample.images(3), times: DiffusionSample.times(3), labels: [0, 5, 4],
            pass: .training)
          let losses = output.sparse.compactMap { $0.contrastiveLoss(temperature: 0.07) }
          return output.prediction.pow(2).mean() * scale + (losses[0] + losses[1]) * lambda
        }, for: parameters
      ).gradients
    }
    let (both, error, contrast) = try (
      gradients(scale: 10, lambda: 1), gradients(scale: 1, lambda: 0),
      gradients(scale: 0, lambda: 1)
    )
    for (place, gradient) in both.enumerated() {
      let expected = error[place] * 10 + contrast[place]
      let size = Double(expected.norm().item(as: Float.self))
      expectClose(gradient, expected, Tolerance(relative: 1e-4, absolute: 1e-5 * size + 1e-8))
    }
  }

  @Test("give every expert the same number of an image's tokens if experts choose")
  func expertChoice() throws {
    let configuration = DiffusionConfiguration.preset(.small, router: .promoeExpertChoice)
    #expect(configuration.tokens == 256)
    let router = try ExpertChoiceRouter(capacityFactor: 1, experts: 12, scoring: .identity)
    #expect(router.capacity(tokens: 256, experts: 12) == 21)
    let model = try DiffusionSample.new(.promoeExpertChoice)
    let output = apply(try layer(model), input(4), [1, 5, 2, 3])
    #expect(output.routing.load.tokens == [12, 12, 12, 12, 16])
    guard case .byExpert(let chosen) = output.conditional.choice else {
      Issue.record("tokens chose")
      return
    }
    for tokens in chosen {
      #expect((0..<3).allSatisfy { image in tokens.count { $0 / 16 == image } == 4 })
    }
  }

  @Test("start with a nearly closed routed branch")
  func initialGate() throws {
    let (width, experts) = (768, 12)
    let random = RandomSource(seed: 5)
    let scores = Prototypes.scores(
      of: random.normal([4000, width]),
      prototypes: random.normal([experts, width], standardDeviation: 0.02))
    let routing = try PrototypeRouter(k: 1, experts: experts, scoring: .identity).route(scores)
    let mean = Double(routing.weights.mean().item(as: Float.self))
    // The mean of the largest of twelve standard normal values is 1.629.
    #expect(abs(mean - 1.629 / Double(width).squareRoot()) < 0.02 * mean)
    let soft = try PrototypeRouter(k: 1, experts: experts, scoring: .softmax).route(scores)
    #expect(abs(soft.weights.mean().item(as: Float.self) - 0.088) < 0.002)
  }
}
