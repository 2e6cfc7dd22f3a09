import Foundation
import MoECore
import MoERouting
import MoETensor

@testable import MoEModels
@testable import MoETraining

/// One sparse layer alone, and a task that only specialized experts solve: tokens of eight
/// clusters, each with a separate linear target; a tenth of the samples have no label and, for the
/// same tokens, another target.
///
///     x = norm(common · √D · direction + centre of the cluster + 0.5 · noise),   y = W(cluster) x,  or W(none) x
///
/// The more tokens have in common, the harder they are to distinguish.
struct LayerRegression {
  /// What is compared; all have the same active weights.
  enum Model: String, CaseIterable {
    case dense
    case linear
    case linearBalanced = "linear + balance"
    case prototypes
    case prototypesContrastive = "prototypes + contrastive"
    case full = "full (contrastive, conditional)"
    case fullWithoutContrastive = "full without contrastive"
    case fullBalanced = "full + balance"

    var isConditional: Bool {
      [.full, .fullWithoutContrastive, .fullBalanced].contains(self)
    }
    var contrastive: Double {
      [.prototypesContrastive, .full, .fullBalanced].contains(self) ? 1 : 0
    }
    var balance: Double { [.linearBalanced, .fullBalanced].contains(self) ? 0.01 : 0 }
  }

  /// The performance of a trained layer on new tokens.
  struct Result {
    /// Mean squared error of samples with a label.
    var labelled: Double
    /// Mean squared error of samples without.
    var unlabelled: Double
    /// Normalized mutual information of expert and cluster, 0 to 1.
    var information: Double
    /// Experts with more than 1 % of the tokens.
    var active: Double
  }

  static let (width, clusters, samples, tokens) = (32, 8, 32, 16)
  static let classes = 1
  let model: Model
  let common: Double
  let seed: UInt64

  /// Trains for some steps and measures.
  func run(steps: Int) throws -> Result {
    let data = Data(common: common, seed: seed)
    let layer = try Layer(model, seed: seed)
    let optimizer = AdamW(layer.parameters, settings: try AdamWSettings(weightDecay: 0))
    let random = RandomSource(seed: seed &+ 1000)
    for _ in 0..<steps {
      let batch = data.batch(random)
      let found = try valueAndGradients(
        of: {
          let (answer, routed) = layer(batch)
          var loss = answer.meanSquaredError(batch.targets)
          if let routed, model.contrastive > 0,
            let contrastive = routed.contrastiveLoss(temperature: 0.07)
          {
            loss = loss + contrastive * model.contrastive
          }
          if let routed, model.balance > 0 { loss = loss + routed.balanceLoss * model.balance }
          return loss
        }, for: layer.parameters.map(\.parameter))
      optimizer.update(gradients: found.gradients, learningRate: 2e-3)
    }
    let batches = (0..<8).map { _ in data.batch(random) }
    return withoutGradients { Self.measure(layer, batches) }
  }

  private static func measure(_ layer: Layer, _ batches: [Batch]) -> Result {
    var errors = [0.0, 0.0]
    var counts = [0, 0]
    var table = [[Int]](repeating: [Int](repeating: 0, count: clusters), count: clusters)
    for batch in batches {
      let (answer, routed) = layer(batch)
      let difference = answer - batch.targets
      let perSample = (difference * difference).mean(axes: [1, 2]).array(of: Float.self)
      for (error, label) in zip(perSample, batch.labels) {
        errors[label] += Double(error)
        counts[label] += 1
      }
      guard let routed else { continue }
      let rows = routed.split.conditionalTokens
      for assignment in routed.conditional.assignments {
        table[batch.clusters[rows[assignment[0]]]][assignment[1]] += 1
      }
    }
    let all = table.flatMap { $0 }.reduce(0, +)
    let loads = (0..<clusters).map { expert in table.reduce(0) { $0 + $1[expert] } }
    return Result(
      labelled: errors[0] / Double(max(1, counts[0])),
      unlabelled: errors[1] / Double(max(1, counts[1])), information: information(table),
      active: Double(loads.count { $0 * 100 > all }))
  }

  /// 2 I(cluster; expert) / (H(cluster) + H(expert)).
  private static func information(_ table: [[Int]]) -> Double {
    let all = Double(table.flatMap { $0 }.reduce(0, +))
    guard all > 0 else { return 0 }
    func entropy(_ counts: [Int]) -> Double {
      counts.filter { $0 > 0 }.reduce(0) { $0 - Double($1) / all * log(Double($1) / all) }
    }
    let columns = table[0].indices.map { column in table.reduce(0) { $0 + $1[column] } }
    let (rows, joint) = (entropy(table.map { $0.reduce(0, +) }), entropy(table.flatMap { $0 }))
    let sum = rows + entropy(columns)
    return sum > 0 ? 2 * (sum - joint) / sum : 0
  }

  /// Tokens, their targets, and their clusters.
  struct Batch {
    /// Shape `[samples, tokens, width]`.
    var x: Tensor
    /// Of the same shape.
    var targets: Tensor
    /// Per sample: 0, or 1 for none.
    var labels: [Int]
    /// Per token.
    var clusters: [Int]
  }

  /// The clusters and their targets.
  private struct Data {
    let shift: Tensor
    let centres: Tensor
    /// The last is that of samples without a label, `[clusters + 1, width, width]`.
    let targets: Tensor

    init(common: Double, seed: UInt64) {
      let random = RandomSource(seed: seed)
      let direction = random.normal([width])
      shift = direction / direction.norm() * (common * Double(width).squareRoot())
      centres = random.normal([LayerRegression.clusters, width])
      targets =
        random.normal([LayerRegression.clusters + 1, width, width])
        / Double(width).squareRoot()
    }

    func batch(_ random: RandomSource) -> Batch {
      let count = samples * tokens
      let members = random.integers([count], in: 0..<LayerRegression.clusters)
      let noise = random.normal([count, width])
      let x = (centres.selecting(members) + noise * 0.5 + shift).layerNorm(epsilon: 1e-6)
      let labels = random.uniform([samples]).array(of: Float.self).map { $0 < 0.1 ? 1 : 0 }
      let clusters = members.array(of: Int.self)
      // Every token's output for every target, of which one is selected.
      let kinds = clusters.enumerated().map {
        labels[$0.offset / tokens] == 1 ? LayerRegression.clusters : $0.element
      }
      let all = x.matmul(targets.transposed())  // [clusters + 1, count, width]
      let places = kinds.enumerated().map { $0.element * count + $0.offset }
      let chosen = all.reshaped([-1, width]).selecting(Tensor(places))
      let shape = [samples, tokens, width]
      return Batch(
        x: x.reshaped(shape), targets: chosen.reshaped(shape), labels: labels, clusters: clusters)
    }
  }

  /// A layer of any of the models.
  private struct Layer {
    private enum Kind {
      case dense(FeedForward)
      case sparse(DiffusionExperts)
    }

    let parameters: [NamedParameter]
    private let kind: Kind

    init(_ model: Model, seed: UInt64) throws {
      let weights = RandomWeights(RandomSource(seed: seed &+ 77))
      guard model != .dense else {
        func linear(_ name: String, _ outputs: Int, _ inputs: Int) -> Linear {
          Linear(
            weight: weights.weight(name, [outputs, inputs], start: .xavier(outputs, inputs)),
            bias: weights.weight(name, [outputs], start: .zeros))
        }
        let network = FeedForward(
          gate: nil, up: linear("up", 2 * width, width), down: linear("down", width, 2 * width),
          activation: .geluTanh)
        let all = [network.up, network.down].flatMap {
          [$0.denseWeight, $0.bias].compactMap { $0 }
        }
        parameters = all.enumerated().map { NamedParameter("\($0.offset)", $0.element) }
        kind = .dense(network)
        return
      }
      var configuration = DiffusionConfiguration(
        imageSize: 8, channels: 1, patchSize: 2, hiddenSize: width, depth: 2, heads: 1,
        classes: classes)
      let isLinear = model == .linear || model == .linearBalanced
      var experts = DiffusionExpertsConfiguration(
        isLinear ? .tokenChoice : .promoe, count: clusters, hiddenSize: width, classes: classes)
      (experts.size, experts.sharedSize) = (width, width)
      experts.hasUnconditional = model.isConditional
      configuration.experts = experts
      let network = try DiffusionTransformer(configuration, weights: weights)
      guard let layer = network.blocks[1].experts else {
        preconditionFailure("a sparse block without experts")
      }
      parameters = network.parameters.filter { $0.name.hasPrefix("blocks.1.mlp.") }

      kind = .sparse(layer)
    }

    func callAsFunction(_ batch: Batch) -> (Tensor, DiffusionExperts.Output?) {
      switch kind {
      case .dense(let network): return (network(batch.x), nil)
      case .sparse(let layer):
        let output = layer(
          batch.x,
          labels: DiffusionLabels(values: batch.labels, isNull: batch.labels.map { $0 == 1 }),
          pass: .training)
        return (output.hidden, output)
      }
    }
  }
}
