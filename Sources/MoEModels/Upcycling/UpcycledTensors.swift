import Foundation
import MoECore
import MoETensor

/// The tensors of an upcycled model, each created from the dense model when it is written.
///
/// A network of inner width n is copied. If each copy is split into N slices, expert s of a copy
/// has rows s·n/N…(s + 1)·n/N of the gate and up matrices and the same columns of the down matrix,
/// so the slices' outputs sum to the network's. All slices of a copy share one row of the router's
/// gate, hence have equal scores: a token with k = N·m experts gets m whole copies. The
/// renormalized weights of each copy's slices are then w_copy / N with Σ w_copy = 1, and scaling
/// the down matrix by N makes the layer's output equal the network's:
///
///     Σ_copies Σ_slices (w_copy / N) · N · slice(x)  =  Σ_copies w_copy · network(x)  =  network(x)
///
/// - SeeAlso: Komatsuzaki et al. 2023, *Sparse Upcycling*, §3,
///   [arXiv:2212.05055](https://arxiv.org/abs/2212.05055); He et al. 2024, *Upcycling Large
///   Language Models into Mixture of Experts*, §3.2 (virtual groups),
///   [arXiv:2410.07524](https://arxiv.org/abs/2410.07524).
final class UpcycledTensors {
  /// The origin of a tensor.
  private enum Origin {
    case copied
    case gate(layer: Int)
    case expert(Int, layer: Int, ExpertProjection)
  }

  private let dense: StoredModel
  private let plan: ResolvedPlan
  private var origins: [String: Origin] = [:]
  /// The tensors to be written.
  private(set) var items: [SafetensorsItem] = []
  /// The standard deviation of a new gate's weights.
  private static let gateDeviation = 0.02

  /// Lists the tensors of the new model.
  ///
  /// - Throws: ``ModelError`` if the dense model lacks a weight.
  init(_ dense: StoredModel, _ plan: ResolvedPlan) throws {
    (self.dense, self.plan) = (dense, plan)
    let sparsePrefixes = Set(plan.places.map { Self.network($0) + "." })
    for weight in try dense.inventory().weights
    where !sparsePrefixes.contains(where: weight.name.hasPrefix) {
      list(weight.name, weight.shape, .copied)
    }
    for layer in plan.places.sorted() { listExperts(layer) }
  }

  // MARK: Listing

  /// The dense network of a layer.
  private static func network(_ layer: Int) -> String { "model.layers.\(layer).mlp" }

  private func list(_ name: String, _ shape: [Int], _ origin: Origin) {
    origins[name] = origin
    items.append(SafetensorsItem(name: name, dtype: plan.dtype, shape: shape))
  }

  private func listExperts(_ layer: Int) {
    let c = plan.configuration
    let prefix = "model.layers.\(layer).\(plan.names.block)"
    list("\(prefix).gate.weight", [c.experts, c.hiddenSize], .gate(layer: layer))
    let block = ExpertBlock(prefix: "\(prefix).experts", names: plan.names) { _ in .zeros }
    for expert in 0..<c.experts {
      for projection in [ExpertProjection.gate, .up, .down] {
        let (rows, columns) =
          projection == .down ? (c.hiddenSize, c.expertInner) : (c.expertInner, c.hiddenSize)
        list(
          block.name(expert, projection), [rows, columns],
          .expert(expert, layer: layer, projection))
      }
    }
  }

  // MARK: Making

  /// The elements of a listed tensor.
  func contents(_ item: SafetensorsItem) throws -> Tensor {
    let elements: Tensor =
      switch origins[item.name] {
      case .gate(let layer): gate(layer)
      case .expert(let expert, let layer, let projection):
        try self.expert(expert, layer, projection)
      case .copied, nil: try dense.tensor(named: item.name)
      }
    return try elements.castKeepingFinite(to: plan.dtype, name: item.name)
  }

  private func gate(_ layer: Int) -> Tensor {
    let (split, hidden) = (plan.plan.split, plan.configuration.hiddenSize)
    let copies = plan.plan.experts / split
    let rows = random(layer, 0, 0).normal([copies, hidden], standardDeviation: Self.gateDeviation)
    return rows.expandingAxis(1).expanded([copies, split, hidden]).reshaped([
      copies * split, hidden,
    ])
  }

  private func expert(
    _ expert: Int, _ layer: Int, _ projection: ExpertProjection
  ) throws -> Tensor {
    let prefix = Self.network(layer)
    let (split, inner) = (plan.plan.split, plan.configuration.expertInner)
    let begin = expert % split * inner
    let range = begin..<begin + inner
    let name = "\(prefix).\(projection.denseName).weight"
    let whole = try dense.tensor(named: name)
    let slice = projection == .down ? whole.slice(axis: 1, range) : whole[range]
    // The noise is as large as the weights, which must be numbers.
    guard plan.plan.noise == 0 || slice.isAllFinite else {
      throw NonFiniteScores(
        place: "layer \(layer)", position: nil, weight: name, dtype: whole.dtype)
    }
    let isScaled = projection == .down && split > 1
    guard isScaled || plan.plan.noise > 0 else { return slice }
    let wide = slice.cast(to: .f32) * (isScaled ? Double(split) : 1)
    return plan.plan.noise > 0 ? noisy(wide, random(layer, 1 + expert, 1 + projection.place)) : wide
  }

  private func noisy(_ x: Tensor, _ random: RandomSource) -> Tensor {
    let size = Double(x.norm().item(as: Float.self)) / Double(x.count).squareRoot()
    return x + random.normal(x.shape, standardDeviation: size * plan.plan.noise)
  }

  /// A separate source for each tensor, so that none depends on the order of writing.
  private func random(_ places: Int...) -> RandomSource {
    RandomSource(
      seed: places.reduce(plan.plan.seed) { seed, place in
        var generator = SeededGenerator(seed: seed &+ UInt64(place))
        return generator.next()
      })
  }
}

extension ExpertProjection {
  /// The name of the matrix in a dense network.
  fileprivate var denseName: String {
    switch self {
    case .gate: WeightNames.usual.gate
    case .up: WeightNames.usual.up
    case .down: WeightNames.usual.down
    }
  }

  fileprivate var place: Int {
    switch self {
    case .gate: 0
    case .up: 1
    case .down: 2
    }
  }
}
