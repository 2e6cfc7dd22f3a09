/// A placement problem: how tokens move between the experts of consecutive layers, and where
/// experts can be placed.
///
/// Every rank holds ``slotsPerRank`` experts of every layer. Without replicas each expert has one
/// slot per layer; with replicas, busy experts have several slots on different ranks, and their
/// tokens are divided evenly.
///
/// A transition is *kept* when a token stays on its rank from one layer to the next. If the costs
/// of ``PlacementTopology`` differ, one that stays in its node counts partially. The objective, to
/// be maximised, is
///
///     kept − imbalanceWeight · total · mean over layers of (largest load of a rank / mean load − 1)
///
/// where the total is that of all transitions, or 1 if there are none, so that loads alone can be balanced. With weight 0 it counts transitions, and maximising it means minimising crossings.
///
/// - SeeAlso: Yao et al. 2024, *Exploiting Inter-Layer Expert Affinity for Accelerating
///   Mixture-of-Experts Model Inference*, [arXiv:2401.08383](https://arxiv.org/abs/2401.08383),
///   whose integer program counts the same per token.
public struct PlacementProblem: Hashable, Sendable {
  /// The model's layers that have experts, in ascending order.
  public let layerIDs: [Int]
  /// The number of experts per layer.
  public let experts: Int
  /// The number of assignments per expert, `[layers][experts]`.
  public let loads: [[Double]]
  /// The tokens, or their weights, that move from an expert to one of the next layer,
  /// `[layers − 1][experts · experts]`; expert `i` to expert `p` is element `i · experts + p`.
  public let transitions: [[Double]]
  /// Nodes, ranks and costs.
  public let topology: PlacementTopology
  /// The number of additional slots per layer.
  public let replicas: Int
  /// The largest permitted load of a rank over the mean, per layer; `nil` for no limit.
  public let balanceLimit: Double?
  /// λ of the objective, at least 0.
  public let imbalanceWeight: Double

  /// The most layers.
  public static let maximumLayers = 4096
  /// The most experts per layer.
  public static let maximumExperts = 4096

  /// The largest weight of imbalance.
  public static let maximumWeight = 1e6

  /// Creates a problem.
  ///
  /// - Throws: ``PlacementError`` for inconsistent or invalid counts, experts that do not divide
  ///   evenly, and balance limits that no plan can satisfy.
  public init(
    layerIDs: [Int]? = nil, loads: [[Double]], transitions: [[Double]],
    topology: PlacementTopology, replicas: Int = 0, balanceLimit: Double? = nil,
    imbalanceWeight: Double = 0
  ) throws(PlacementError) {
    let experts = loads.first?.count ?? 0
    let layerIDs = layerIDs ?? Array(loads.indices)
    try Self.check(layerIDs, loads, transitions)
    guard replicas >= 0, replicas <= experts * topology.ranks else {
      throw .invalidProblem(
        message: "\(replicas) replicas; there can be 0 to \(experts * (topology.ranks - 1))")
    }
    guard (experts + replicas).isMultiple(of: topology.ranks) else {
      throw .unevenSlots(experts: experts, replicas: replicas, ranks: topology.ranks)
    }
    guard (experts + replicas) / topology.ranks <= experts else {
      throw .invalidProblem(
        message:
          "\(replicas) replicas would put an expert on one rank twice; there can be at most \(experts * (topology.ranks - 1))"
      )
    }
    guard balanceLimit.map({ $0.isFinite && $0 >= 1 }) ?? true else {
      throw .invalidProblem(
        message: "the balance limit is \(balanceLimit ?? 0); a maximum over a mean is at least 1")
    }
    guard imbalanceWeight >= 0, imbalanceWeight <= Self.maximumWeight else {
      throw .invalidProblem(
        message:
          "the weight of imbalance is \(imbalanceWeight); it must be in 0…\(Int(Self.maximumWeight)), which leaves crossings no weight already"
      )
    }
    (self.layerIDs, self.experts, self.loads) = (layerIDs, experts, loads)
    (self.transitions, self.topology, self.replicas) = (transitions, topology, replicas)
    (self.balanceLimit, self.imbalanceWeight) = (balanceLimit, imbalanceWeight)
    try refuseImpossibleBalance()
  }

  private static func check(
    _ layerIDs: [Int], _ loads: [[Double]], _ transitions: [[Double]]
  ) throws(PlacementError) {
    let experts = loads.first?.count ?? 0
    guard (1...maximumLayers).contains(loads.count), (1...maximumExperts).contains(experts) else {
      throw .invalidProblem(
        message:
          "\(loads.count) layers of \(experts) experts; there must be 1 to \(maximumLayers) layers and 1 to \(maximumExperts) experts"
      )
    }
    guard layerIDs.count == loads.count, layerIDs.allSatisfy({ $0 >= 0 && $0 < 1 << 31 }),
      zip(layerIDs, layerIDs.dropFirst()).allSatisfy({ $0 < $1 })
    else {
      throw .invalidProblem(
        message: "the layers must be \(loads.count) integers from 0 on in ascending order")
    }
    guard loads.allSatisfy({ $0.count == experts }) else {
      throw .invalidProblem(message: "layers have different numbers of experts")
    }
    guard transitions.count == loads.count - 1,
      transitions.allSatisfy({ $0.count == experts * experts })
    else {
      throw .invalidProblem(
        message:
          "\(loads.count) layers of \(experts) experts need \(loads.count - 1) transition tables of \(experts * experts) counts"
      )
    }
    let isCount = { (value: Double) in value.isFinite && value >= 0 && value <= 1e15 }
    guard loads.allSatisfy({ $0.allSatisfy(isCount) }),
      transitions.allSatisfy({ $0.allSatisfy(isCount) })
    else { throw .invalidProblem(message: "counts must be finite and in 0…10¹⁵") }
  }

  /// The number of layers with experts.
  public var layers: Int { loads.count }
  /// The number of slots per layer.
  public var slots: Int { experts + replicas }
  /// The number of slots of one rank in each layer.
  public var slotsPerRank: Int { slots / topology.ranks }
  /// Sum of all transitions.
  public var totalTransitions: Double { transitions.reduce(0) { $0 + $1.reduce(0, +) } }

  /// What ``imbalanceWeight`` is multiplied with: ``totalTransitions``, or 1 if there are none.
  var imbalanceScale: Double {
    let total = totalTransitions
    return total > 0 ? total : 1
  }

  /// The same problem with other counts, for example those of held-out tokens.
  ///
  /// - Throws: ``PlacementError``; balance limits are not applied.
  public func counting(
    loads: [[Double]], transitions: [[Double]]
  ) throws(PlacementError) -> PlacementProblem {
    try PlacementProblem(
      layerIDs: layerIDs, loads: loads, transitions: transitions, topology: topology,
      replicas: replicas, imbalanceWeight: imbalanceWeight)
  }

  /// The same problem with another weight of imbalance.
  public func weighting(imbalance: Double) throws(PlacementError) -> PlacementProblem {
    try PlacementProblem(
      layerIDs: layerIDs, loads: loads, transitions: transitions, topology: topology,
      replicas: replicas, balanceLimit: balanceLimit, imbalanceWeight: imbalance)
  }

  /// A lower bound for any plan's largest load over the mean in a layer.
  func lowestBalance(layer: Int) -> Double {
    let loads = loads[layer]
    let mean = loads.reduce(0, +) / Double(topology.ranks)
    guard mean > 0 else { return 1 }
    let copies = Double(min(topology.ranks, replicas + 1))
    let largest = (loads.max() ?? 0) / copies
    return max(1, largest / mean)
  }

  private func refuseImpossibleBalance() throws(PlacementError) {
    guard let balanceLimit else { return }
    for layer in 0..<layers {
      let lowest = lowestBalance(layer: layer)
      guard lowest <= balanceLimit * (1 + 1e-12) else {
        throw .impossibleBalance(limit: balanceLimit, layer: layerIDs[layer], lowest: lowest)
      }
    }
  }
}
